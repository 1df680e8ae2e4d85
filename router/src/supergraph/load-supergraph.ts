import type { QueryPlan } from '@apollo/query-planner';
import type { Cache } from '@timbre/platform/cache/cache';
import type { Logger } from '@timbre/platform/logger';
import { buildSchema } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import type { AnnotationTable } from './annotations.ts';
import type { CacheTagFormats } from './cache-tags.ts';
import type { EntityKeys } from './entity-keys.ts';
import type { PlannedNames } from './planned-names.ts';
import { plannerThreads } from './planner-threads.ts';
import { parseQueryPlan } from './query-plan-schema.ts';
import { sharePlans } from './shared-plans.ts';

/** A supergraph made ready to plan and execute on. Immutable: a new SDL makes a new one. */
export interface LoadedSupergraph {
  /** The SHA-256 of its SDL, as hex. */
  id: string;
  /** What clients see: no inaccessible elements, no federation machinery; with `@defer`. */
  schema: GraphQLSchema;
  /** What subgraphs may be asked for: with inaccessible elements. Made when it is asked for. */
  fullSchema: () => GraphQLSchema;
  /** Of every interface and union of the full supergraph, inaccessible ones too: the names of its object types. */
  possibleTypes: ReadonlyMap<string, ReadonlySet<string>>;
  names: PlannedNames;
  keys: EntityKeys;
  cacheTags: CacheTagFormats;
  /** Of progressive `@override`s: which of them hold is said with each plan. */
  overrideLabels: readonly string[];
  annotations: AnnotationTable;
  subgraphs: readonly { name: string; url: string }[];
  /**
   * Plans a document of one operation, in the planner's thread.
   *
   * @throws PlanningFailure where the operation is too large or the thread ended
   */
  plan: (document: string, overrides?: readonly string[]) => Promise<QueryPlan>;
  /** Frees what the planner's thread holds of it; nothing can be planned any more. */
  unload: () => void;
}

export interface LoadOptions {
  /** Where plans are kept for other processes, too. */
  sharedPlans?: { cache: Cache; log: Logger } | undefined;
}

/**
 * @throws GraphQLError or Error on a text that is no supergraph, or that links a feature `for: SECURITY` or
 * `for: EXECUTION` which the router does not know; PlanningFailure where the planner's thread ended
 */
export async function loadSupergraph(sdl: string, { sharedPlans }: LoadOptions = {}): Promise<LoadedSupergraph> {
  const { apiSchema, fullSchema, plan, planner, ...loaded } = await plannerThreads().load(sdl);
  const schema = schemaOf(apiSchema);
  let full = fullSchema === null ? schema : null;
  return {
    ...loaded,
    schema,
    fullSchema: () => (full ??= schemaOf(fullSchema ?? apiSchema)),
    plan:
      sharedPlans === undefined
        ? async (document, overrides) => parseQueryPlan(await plan(document, overrides))
        : sharePlans(plan, { ...sharedPlans, scope: `${planner}:${loaded.id}` }),
  };
}

/** They have been validated where they were made. */
function schemaOf(sdl: string): GraphQLSchema {
  return buildSchema(sdl, { assumeValid: true, assumeValidSDL: true, noLocation: true });
}
