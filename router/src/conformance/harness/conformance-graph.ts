import { Supergraph } from '@apollo/federation-internals';
import type { GraphQLSchema } from 'graphql';
import { afterAll, beforeAll } from 'vitest';
import type { RouterOptions } from '../../router-options.ts';
import { compose } from '../../testing/compose.ts';
import { startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';
import { attachResolvers } from './attach-resolvers.ts';
import type { Domain } from './domain.ts';
import { createOracle } from './oracle.ts';
import { readSubgraph } from './read-subgraph.ts';
import { serveSubgraphs } from './serve-subgraphs.ts';
import type { SubgraphServers } from './serve-subgraphs.ts';
import { subgraphSchema } from './subgraph-schema.ts';

export interface GraphDefinition {
  /** SDL by name, without the link to the federation specification. */
  subgraphs: Readonly<Record<string, string>>;
  /** Called once for the subgraphs and once for the oracle, so that a mutation of one does not show in the other. */
  domain: () => Domain;
  router?: Partial<RouterOptions>;
  /** Of every answer of the subgraphs. */
  headers?: Readonly<Record<string, string>>;
}

export interface ConformanceGraph {
  supergraph: string;
  /** The graph as one server would serve it. */
  oracle: GraphQLSchema;
  servers: SubgraphServers;
  router: TestRouter;
  close(): Promise<void>;
}

const LINK = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: [
    "@key", "@requires", "@provides", "@external", "@shareable", "@override", "@inaccessible", "@interfaceObject",
    "@extends", "@tag", "@context", "@fromContext", "@authenticated", "@requiresScopes"
  ]
)
`;

/**
 * A graph for the tests of a file: subgraphs on real servers behind a real router and, made of the
 * same SDL and the same domain, one schema that graphql-js executes: the oracle.
 */
export function conformanceGraph(definition: GraphDefinition): () => ConformanceGraph {
  let graph: ConformanceGraph | null = null;
  beforeAll(async () => {
    graph = await startConformanceGraph(definition);
  });
  afterAll(() => graph?.close());
  return () => {
    if (graph === null) throw new Error('The graph is not started yet.');
    return graph;
  };
}

export async function startConformanceGraph({
  subgraphs,
  domain,
  router: options,
  headers = {},
}: GraphDefinition): Promise<ConformanceGraph> {
  const sdl = new Map(Object.entries(subgraphs).map(([name, text]) => [name, LINK + text]));
  const facts = readSubgraph(...sdl.values());
  const supergraph = compose(Object.fromEntries(sdl));
  const built = Supergraph.build(supergraph, { supportedFeatures: null });
  const whole = built.schema.toGraphQLJSSchema();

  const truth = domain();
  const oracle = createOracle(truth, whole, facts);
  const served = domain();
  const servedOracle = createOracle(served, whole, facts);
  const schemas = [...sdl].map(([name, text]) => {
    const lost = facts.overridden.filter(({ from }) => from === name).map(({ coordinate }) => coordinate);
    return [name, subgraphSchema(text, served, servedOracle, new Set(lost))] as const;
  });
  const servers = await serveSubgraphs(new Map(schemas), { headers });
  const router = await startTestRouter({ supergraph, subgraphUrl: servers.urlOf }, options);
  return {
    supergraph,
    oracle: attachResolvers(built.apiSchema().toGraphQLJSSchema({ includeDefer: true }), truth, {
      typeOf: ({ record }) => record.__typename,
      resolve: (item, _type, field, args) => oracle.resolve(item, field, args),
    }),
    servers,
    router,
    async close() {
      await router.close();
      await servers.close();
    },
  };
}
