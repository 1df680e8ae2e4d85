import { isAbstractType, isObjectType } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import { Item, itemsOf } from './domain.ts';
import type { Args, Domain } from './domain.ts';

export interface Resolution {
  /** The name of an item's object type in the schema. */
  typeOf: (item: Item) => string;
  resolve: (item: Item, type: string, field: string, args: Args) => unknown;
}

/** Lets every field of a schema resolve on items, the root fields on the roots of the domain. */
export function attachResolvers(
  schema: GraphQLSchema,
  { roots }: Domain,
  { typeOf, resolve }: Resolution,
): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isAbstractType(type)) type.resolveType = (value) => (value instanceof Item ? typeOf(value) : undefined);
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const read = (source: unknown, args: Args) => {
        const item = source instanceof Item ? source : new Item({ ...roots[type.name], __typename: type.name }, null);
        return resolve(item, type.name, field.name, args);
      };
      if (type === schema.getSubscriptionType()) {
        field.subscribe = read;
        field.resolve = (event) => itemsOf(event, null);
      } else {
        field.resolve = read;
      }
    }
  }
  return schema;
}
