import { isObjectType, valueFromASTUntyped } from 'graphql';
import type { FieldNode, GraphQLSchema } from 'graphql';
import { setOwn } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';
import type { CacheTagFormats } from '../supergraph/cache-tags.ts';
import { compileCacheTag } from './cache-tag-format.ts';
import type { CacheTagFormat } from './cache-tag-format.ts';
import { cacheTag } from './tags.ts';

/** The `@cacheTag`s of one subgraph. */
export interface CacheTags {
  /** Of root fields, with their arguments. */
  ofFields(fields: readonly FieldNode[], variables: Data): string[];
  /** Of an entity, by its key or what else holds it. */
  ofEntity(type: string, key: Data): string[];
}

export function createCacheTags(
  subgraph: string,
  { cacheTags, schema }: { cacheTags: CacheTagFormats; schema: GraphQLSchema },
): CacheTags {
  const formats = new Map<string, CacheTagFormat[]>();
  for (const [coordinate, texts] of cacheTags.get(subgraph) ?? []) formats.set(coordinate, texts.map(compileCacheTag));
  const root = schema.getQueryType()?.name ?? 'Query';

  const tagsOf = (coordinate: string, values: () => Data): string[] => {
    const compiled = formats.get(coordinate);
    if (compiled === undefined) return [];
    const given = values();
    return compiled.flatMap((format) => {
      const tag = format(given);
      return tag === null ? [] : [cacheTag(subgraph, tag)];
    });
  };

  return {
    ofFields(fields, variables) {
      if (formats.size === 0) return [];
      return fields.flatMap((field) =>
        tagsOf(`${root}.${field.name.value}`, () => argumentsOf(field, variables, { schema, root })),
      );
    },
    ofEntity: (type, key) => tagsOf(type, () => key),
  };
}

function argumentsOf(
  field: FieldNode,
  variables: Data,
  { schema, root }: { schema: GraphQLSchema; root: string },
): Data {
  const values: Data = {};
  const type = schema.getType(root);
  const defined = isObjectType(type) ? type.getFields()[field.name.value]?.args : undefined;
  for (const { name, defaultValue } of defined ?? [])
    if (defaultValue !== undefined) setOwn(values, name, defaultValue);
  for (const { name, value } of field.arguments ?? []) {
    const given: unknown = valueFromASTUntyped(value, variables);
    if (given !== undefined) setOwn(values, name.value, given);
  }
  return values;
}
