import { isData } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';
import type { SubgraphOperation, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { createCacheTags } from './cache-tags.ts';
import { containedEntities, isEntity } from './contained-entities.ts';
import { createEntityTypes } from './entity-types.ts';
import type { EntityTypes } from './entity-types.ts';
import { fetchFacts } from './fetch-facts.ts';
import type { FetchFacts } from './fetch-facts.ts';
import { namedEntity } from './named-entity.ts';
import { createReachOf } from './reach.ts';
import type { MutationReaches, Reach } from './reach.ts';
import { containsTag, entityTag, partlyTag, subgraphTag, typeTag } from './tags.ts';
import { EVERYTHING } from './timeline.ts';

/** An operation for a subgraph, with what was learned of it. */
export interface KnownFetch extends Pick<FetchFacts, 'kind' | 'hash'> {
  readonly subgraph: string;
  /** Whether some answer was not for everybody: from then on each is kept for whom it was sent to. */
  isPrivate: boolean;
  /** Whether the last answer could be kept. */
  keeps: boolean;
  /** The tags of all its answers that are, or are not, for everybody. */
  staticTags(isPublic: boolean): readonly string[];
  /** The tags of an answer, or of one entity, beside these. */
  tagsOf(data: unknown, about: { representation: Data | null; variables: Data; isPublic: boolean }): string[];
  /** How far it goes, of a mutation. */
  reach: Reach;
  /** What is not valid any more when a mutation has brought this; null where its outcome is not known. */
  changedBy(response: SubgraphResponse | null): Changed;
}

export interface Changed {
  tags: readonly string[];
  /** Whether nothing else has changed, for nobody. */
  isAll: boolean;
}

export interface KnownFetches {
  /** Null where its answers cannot be kept. */
  of(operation: SubgraphOperation): KnownFetch | null;
  entities: EntityTypes;
}

export type CachedSupergraph = Pick<LoadedSupergraph, 'schema' | 'keys' | 'possibleTypes' | 'subgraphs' | 'cacheTags'>;

/** What is known of the operations that the plans of a supergraph have for its subgraphs. */
export function createKnownFetches(supergraph: CachedSupergraph, mutations: MutationReaches): KnownFetches {
  const reachOf = createReachOf(mutations);
  const entities = createEntityTypes(supergraph);
  // Operations are made once per plan.
  const known = new WeakMap<SubgraphOperation, KnownFetch | null>();
  return {
    entities,
    of(operation) {
      let fetch = known.get(operation);
      if (fetch === undefined) {
        const facts = fetchFacts(operation, supergraph.schema);
        fetch = facts === null ? null : knownFetch(operation, facts, { ...supergraph, entities, reachOf });
        known.set(operation, fetch);
      }
      return fetch;
    },
  };
}

function knownFetch(
  { subgraph }: SubgraphOperation,
  facts: FetchFacts,
  supergraph: CachedSupergraph & { entities: EntityTypes; reachOf: ReturnType<typeof createReachOf> },
): KnownFetch {
  const { entities, subgraphs } = supergraph;
  const { kind, hash, types, containing, fields } = facts;
  const reach = supergraph.reachOf(fields.map(({ name }) => name.value));
  const cacheTags = createCacheTags(subgraph, supergraph);
  const namedIn = namedEntity(facts, supergraph);
  const entityTypes = types.filter((type) => entities.keySets(type) !== undefined);
  const privateTags = [EVERYTHING, subgraphTag(subgraph), ...types.map((type) => typeTag(subgraph, type))];
  // What one principal changes, others see in what all of them see.
  const publicTags = [...privateTags, ...types.filter((type) => !entityTypes.includes(type)).map(containsTag)];

  return {
    kind,
    hash,
    subgraph,
    isPrivate: false,
    keeps: false,
    staticTags: (isPublic) => (isPublic ? publicTags : privateTags),
    tagsOf(data, { representation, variables, isPublic }) {
      const tags = new Set<string>(representation === null ? cacheTags.ofFields(fields, variables) : []);
      if (representation !== null) {
        const type = String(representation['__typename']);
        const keys = entities.keysIn(type, representation);
        tags.add(typeTag(subgraph, type));
        for (const key of keys) tags.add(entityTag(type, key));
        for (const tag of cacheTags.ofEntity(type, representation)) tags.add(tag);
        if (keys.length < (entities.keySets(type)?.length ?? 1)) tags.add(partlyTag(type));
      }
      if (entityTypes.length === 0) return [...tags];
      const { identified, partly, unknown } = containedEntities(containing, data, supergraph);
      for (const [tag, { type, key }] of identified) {
        tags.add(tag);
        for (const each of cacheTags.ofEntity(type, key)) tags.add(each);
      }
      for (const type of [...partly, ...unknown]) tags.add(partlyTag(type));
      const named = isPublic && isData(data) ? namedIn(data, identified, variables) : null;
      if (isPublic) for (const type of entityTypes) if (type !== named) tags.add(containsTag(type));
      return [...tags];
    },
    reach,
    changedBy(response) {
      const { data, errors } = response ?? {};
      const tags = new Set<string>();
      if (reach.isPublic) {
        for (const type of types) for (const each of entities.related(type)) tags.add(containsTag(each));
      }
      const { identified, partly, unknown } = containedEntities(containing, data, supergraph);
      for (const { type, key } of identified.values()) {
        for (const each of entities.related(type)) tags.add(entities.tag(each, key)).add(partlyTag(each));
      }
      for (const type of unknown) {
        for (const each of entities.related(type)) for (const { name } of subgraphs) tags.add(typeTag(name, each));
      }
      const isNamed = errors === undefined && partly.size === 0 && unknown.size === 0;
      // Of what is around an entity, or a list, the client may not have asked for what has changed.
      return { tags: [...tags], isAll: reach.isReturned && isNamed && isEntity(containing, data, entities) };
    },
  };
}
