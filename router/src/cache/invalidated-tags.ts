import type { Invalidation } from '@timbre/platform/cache/invalidation';
import type { EntityTypes } from './entity-types.ts';
import type { CachedSupergraph } from './known-fetch.ts';
import { partOf } from './reach.ts';
import { cacheTag, entityTag, partlyTag, subgraphTag, typeTag } from './tags.ts';
import type { Change } from './timeline.ts';

type KnownSupergraph = Pick<CachedSupergraph, 'subgraphs'> & { entities: EntityTypes };

/** What is to be invalidated: what is so everywhere together, and what is in one subgraph's answers for each by itself. */
export function invalidatedBy(
  invalidations: readonly Invalidation[],
  supergraph: KnownSupergraph,
): Pick<Change, 'tags' | 'parts'>[] {
  const changes = new Map<string | null, string[]>();
  for (const each of invalidations) {
    // The other kinds have it in their tags.
    const part = each.kind === 'entity' && each.subgraph !== undefined ? partOf(each.subgraph) : null;
    changes.set(part, [...(changes.get(part) ?? []), ...tagsOf(each, supergraph)]);
  }
  return [...changes].map(([part, tags]) => ({ tags, parts: part === null ? null : [part] }));
}

function tagsOf(invalidation: Invalidation, { entities, subgraphs }: KnownSupergraph): string[] {
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
  const names = invalidation.subgraph === undefined ? all : [invalidation.subgraph];
  return related.flatMap((each) => names.map((name) => typeTag(name, each)));
}
