import type { Invalidation } from '@timbre/platform/cache/invalidation';
import type { EntityTypes } from './entity-types.ts';
import type { CachedSupergraph } from './known-fetch.ts';
import { cacheTag, entityTag, partlyTag, subgraphTag, typeTag } from './tags.ts';

/** The tags of what is to be invalidated. */
export function invalidatedTags(
  invalidation: Invalidation,
  { entities, subgraphs }: Pick<CachedSupergraph, 'subgraphs'> & { entities: EntityTypes },
): string[] {
  const all = subgraphs.map(({ name }) => name);
  if (invalidation.kind === 'subgraph') return [subgraphTag(invalidation.subgraph)];
  if (invalidation.kind === 'cache_tag') {
    return (invalidation.subgraphs ?? all).map((subgraph) => cacheTag(subgraph, invalidation.cache_tag));
  }
  const { type } = invalidation;
  const related = entities.related(type);
  if (invalidation.kind === 'entity') {
    // More than a key may be given, and what is no key says nothing but the type.
    const keys = entities.keysIn(type, invalidation.key);
    if (keys.length > 0) {
      return related.flatMap((each) => [partlyTag(each), ...keys.map((key) => entityTag(each, key))]);
    }
  }
  const names = invalidation.kind === 'type' && invalidation.subgraph !== undefined ? [invalidation.subgraph] : all;
  return related.flatMap((each) => names.map((name) => typeTag(name, each)));
}
