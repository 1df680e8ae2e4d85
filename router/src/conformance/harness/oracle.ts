import { getArgumentValues, isObjectType, Kind } from 'graphql';
import type { GraphQLSchema, SelectionSetNode } from 'graphql';
import { Item, itemsOf, readRecord } from './domain.ts';
import type { Args, Domain, DomainRecord } from './domain.ts';
import type { SubgraphFacts } from './read-subgraph.ts';

/** How fields resolve on the domain as a whole. */
export interface Oracle {
  isA: (record: DomainRecord, type: string) => boolean;
  /** `Type.field` if it is among the computed ones, by the record's own type or by an interface of it. */
  computedOf: (record: DomainRecord, field: string) => string | undefined;
  /** @throws what a function of the domain throws */
  resolve: (item: Item, field: string, args: Args) => unknown;
}

/**
 * Resolves on the domain what a federated graph gets from several subgraphs: `@requires` and
 * `@fromContext` are evaluated where they stand.
 *
 * @param schema the whole supergraph's, inaccessible elements included
 */
export function createOracle(domain: Domain, schema: GraphQLSchema, facts: SubgraphFacts): Oracle {
  const computed = domain.computed ?? {};
  const typesOf = ({ __typename }: DomainRecord): string[] => {
    const type = schema.getType(__typename);
    return [__typename, ...(isObjectType(type) ? type.getInterfaces().map(({ name }) => name) : [])];
  };
  const isA = (record: DomainRecord, type: string) => typesOf(record).includes(type);
  const coordinates = (record: DomainRecord, field: string) => typesOf(record).map((type) => `${type}.${field}`);
  const computedOf = (record: DomainRecord, field: string) =>
    coordinates(record, field).find((name) => name in computed);

  function resolve(item: Item, field: string, args: Args): unknown {
    const coordinate = computedOf(item.record, field);
    const all = { ...args, ...contextArguments(item, field) };
    if (coordinate === undefined) return itemsOf(readRecord(item.record, field, all), item);
    const required = facts.requires.get(coordinate);
    return itemsOf(computed[coordinate]?.(required === undefined ? {} : select(required, item), all), item);
  }

  function contextArguments(item: Item, field: string): Args {
    const args: Record<string, unknown> = {};
    const wanted = coordinates(item.record, field).flatMap((name) => facts.fromContext.get(name) ?? []);
    for (const { argument, context, fields } of wanted) {
      const sets = (holder: Item) => facts.contexts.get(context)?.some((type) => isA(holder.record, type)) === true;
      let holder = item.parent;
      while (holder !== null && !sets(holder)) holder = holder.parent;
      if (holder === null) throw new Error(`Nothing above ${field} sets the context ${context}.`);
      args[argument] = leafOf(select(fields, holder));
    }
    return args;
  }

  function select(set: SelectionSetNode, item: Item): Record<string, unknown> {
    const selected: Record<string, unknown> = { __typename: item.record.__typename };
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        const type = schema.getType(item.record.__typename);
        const definition = isObjectType(type) ? type.getFields()[name] : undefined;
        const args = definition === undefined ? {} : getArgumentValues(definition, selection);
        selected[name] = within(resolve(item, name, args), selection.selectionSet);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        if (condition !== undefined && !isA(item.record, condition)) continue;
        Object.assign(selected, select(selection.selectionSet, item));
      }
    }
    return selected;
  }

  function within(value: unknown, set: SelectionSetNode | undefined): unknown {
    if (Array.isArray(value)) return value.map((entry) => within(entry, set));
    return value instanceof Item && set !== undefined ? select(set, value) : value;
  }

  return { isA, computedOf, resolve };
}

/** The value at the end of a field set of one field per level. */
function leafOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const inner = Object.entries(value).find(([name]) => name !== '__typename');
  return inner === undefined ? value : leafOf(inner[1]);
}
