/** The thread that Apollo's parts live in; started by planner-thread.ts. */
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { DEFAULT_SUPPORTED_SUPERGRAPH_FEATURES, operationFromDocument, Supergraph } from '@apollo/federation-internals';
import type { Schema } from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import type { QueryPlan } from '@apollo/query-planner';
import { GraphQLError, parse, printSchema, validateSchema } from 'graphql';
import type { DocumentNode } from 'graphql';
import { z } from 'zod';
import { atOnce } from './at-once.ts';
import { readEntityKeys } from './entity-keys.ts';
import { keepingRequirements } from './keep-requirements.ts';
import type { Planning } from './keep-requirements.ts';
import { orderKeys } from './order-keys.ts';
import { readCacheTags } from './cache-tags.ts';
import { readOverrideLabels } from './override-labels.ts';
import { readPlannedNames } from './planned-names.ts';
import type { PlannerErrorReply, PlannerReply, PlannerRequest, PlannerSupergraph } from './planner-protocol.ts';
import { separateVariants } from './requires-variants.ts';
import type { RequiresVariants } from './requires-variants.ts';
import { runnablePlan } from './runnable-plan.ts';
import { splitSupergraph } from './split-supergraph.ts';

interface Loaded {
  planOperation: Planning;
  variants: RequiresVariants | null;
}

/** Changes with anything that changes plans: it is part of the key under which they are kept elsewhere. */
const PLANNER = `${plannerVersion()}+defer+keys+plain+variants+chains`;

/**
 * What Apollo's own gateway takes, contexts, which the executor here knows, and cache tags, which plans do not depend
 * on. What is split off before (the security features in versions that are known) does not get this far.
 */
const SUPPORTED_FEATURES = new Set([
  ...DEFAULT_SUPPORTED_SUPERGRAPH_FEATURES,
  'https://specs.apollo.dev/context/v0.1',
  'https://specs.apollo.dev/cacheTag/v0.1',
]);

const INACCESSIBLE = 'specs.apollo.dev/inaccessible/';

const supergraphs = new Map<string, Loaded>();

parentPort?.on('message', (message: PlannerRequest) => {
  if (message.kind === 'unload') {
    supergraphs.delete(message.supergraph);
    return;
  }
  let reply: PlannerReply;
  try {
    reply = answer(message);
  } catch (error) {
    reply = { kind: 'failed', request: message.request, error: errorOf(error) };
  }
  parentPort?.postMessage(reply, []);
});

function answer(message: Exclude<PlannerRequest, { kind: 'unload' }>): PlannerReply {
  const { request } = message;
  if (message.kind === 'load') {
    return { kind: 'loaded', request, supergraph: load(message.supergraph, message.sdl) };
  }
  if (message.kind === 'plan') {
    return { kind: 'planned', request, plan: plan(message.supergraph, message) };
  }
  return { kind: 'listed', request, supergraphs: [...supergraphs.keys()] };
}

function load(id: string, sdl: string): PlannerSupergraph {
  const begun = performance.now();
  const { document, annotations } = splitSupergraph(sdl);
  const ordered = orderKeys(document);
  const supergraph = Supergraph.build(ordered, { supportedFeatures: SUPPORTED_FEATURES });
  const schema = supergraph.apiSchema().toGraphQLJSSchema({ includeDefer: true });
  const [problem] = validateSchema(schema);
  if (problem !== undefined) throw problem;
  const variants = separateVariants(ordered);
  const stock = planningOn(variants === null ? supergraph : buildSeparated(supergraph, variants.document));
  const possibleTypes = possibleTypesOf(supergraph.schema);
  const planOperation = keepingRequirements(stock, {
    document: variants?.document ?? ordered,
    possibleTypes,
    planningOn: (separated) => planningOn(buildSeparated(supergraph, separated)),
  });
  supergraphs.set(id, { planOperation, variants });
  return {
    apiSchema: printSchema(schema),
    fullSchema: sdl.includes(INACCESSIBLE) ? printSchema(supergraph.schema.toGraphQLJSSchema()) : null,
    possibleTypes,
    names: readPlannedNames(document),
    keys: readEntityKeys(document),
    cacheTags: readCacheTags(document),
    overrideLabels: readOverrideLabels(document),
    annotations,
    subgraphs: supergraph.subgraphsMetadata().map(({ name, url }) => ({ name, url })),
    planner: PLANNER,
    loadMs: performance.now() - begun,
  };
}

function planningOn(supergraph: Supergraph): Planning {
  // With whatever the planner was given for itself, variants for one.
  const apiSchema = supergraph.apiSchema();
  const planner = new QueryPlanner(supergraph, {
    incrementalDelivery: { enableDefer: true },
    // Where it uses the client's fragments again it forgets the variables in what they do not need.
    reuseQueryFragments: false,
  });
  return (document, overrides) =>
    planner.buildQueryPlan(operationFromDocument(apiSchema, document, { validate: false }), {
      overrideConditions: new Map(overrides.map((label) => [label, true])),
    });
}

/**
 * What was composed is validated; what is made of it is not: a subgraph may have a field left there that is external
 * and not used any more, or lack one of an interface, which is an error to Apollo's validation and nothing to the planner.
 */
function buildSeparated(composed: Supergraph, document: DocumentNode): Supergraph {
  composed.subgraphs();
  return Supergraph.build(document, { supportedFeatures: SUPPORTED_FEATURES, validateSupergraph: false });
}

function possibleTypesOf(schema: Schema): Map<string, Set<string>> {
  const possible = new Map<string, Set<string>>();
  for (const type of schema.interfaceTypes()) possible.set(type.name, namesOf(type.possibleRuntimeTypes()));
  for (const type of schema.unionTypes()) possible.set(type.name, namesOf(type.types()));
  return possible;
}

function namesOf(types: readonly { name: string }[]): Set<string> {
  return new Set(types.map(({ name }) => name));
}

function plan(id: string, { document, overrides }: { document: string; overrides: readonly string[] }): string {
  const loaded = supergraphs.get(id);
  if (loaded === undefined) throw new Error(`The supergraph ${id} is not loaded.`);
  const made = planned(loaded.planOperation, parse(document, { noLocation: true }), overrides);
  return JSON.stringify(loaded.variants === null ? made : runnablePlan(made, loaded.variants));
}

/** The planner gives up on some operations only because of what they defer. */
function planned(planOperation: Planning, document: DocumentNode, overrides: readonly string[]): QueryPlan {
  try {
    return planOperation(document, overrides);
  } catch (error) {
    const plain = atOnce(document);
    const { kind } = errorOf(error);
    if (plain === document || kind === 'limit' || kind === 'unsupported') throw error;
    return planOperation(plain, overrides);
  }
}

function errorOf(error: unknown): PlannerErrorReply {
  if (!(error instanceof Error)) return { kind: 'other', message: String(error) };
  const { message, stack } = error;
  if (error instanceof GraphQLError) {
    const { code } = error.extensions;
    return { kind: 'graphql', message, stack, ...(typeof code === 'string' ? { code } : {}) };
  }
  // The planner recurses as deep as the operation nests.
  if (error instanceof RangeError) return { kind: 'limit', message: 'it nests too deep' };
  // The planner has no codes.
  if (/exceeds .*limit/i.test(message)) return { kind: 'limit', message };
  if (message.endsWith('is not supported on subscriptions')) return { kind: 'unsupported', message };
  return { kind: 'other', message, stack };
}

function plannerVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('@apollo/query-planner/package.json');
  return z.object({ version: z.string() }).parse(manifest).version;
}
