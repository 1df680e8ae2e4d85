import type { IncomingMessage, ServerResponse } from 'node:http';
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLResolverMap } from '@apollo/subgraph';
import { parse } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import { AppError } from './errors.ts';
import { startHttpServer } from './http-server.ts';
import type { HttpServer } from './http-server.ts';
import type { IdentityVerifier } from './identity.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { createHttpEndpoint } from './subgraph/http-endpoint.ts';
import type { RequestContext } from './subgraph/request-context.ts';
import { createWsEndpoint } from './subgraph/ws-endpoint.ts';
import type { Tracing } from './telemetry/tracing.ts';

export type { CachingLimit } from './subgraph/caching-limit.ts';
export type { RequestContext } from './subgraph/request-context.ts';

/** A plain HTTP endpoint beside the graph. It checks its caller itself. */
export interface Route {
  method: 'GET' | 'POST';
  path: string;
  handle: (req: IncomingMessage, res: ServerResponse) => Promise<void> | void;
}

export interface SubgraphOptions<Context extends RequestContext> {
  name: string;
  /** The SDL's text. */
  typeDefs: string;
  /** Resolvers by type, as codegen's `Resolvers` has them, `__resolveReference` included. */
  resolvers: object;
  /** Called once per HTTP request, per subscribe, and per event of a subscription. */
  createContext: (base: RequestContext) => Context;
  verifyIdentity: IdentityVerifier;
  port: number;
  host: string;
  ready: () => Promise<void> | void;
  log: Logger;
  metrics: Metrics;
  /** Null: off. */
  tracing?: Tracing | null;
  routes?: readonly Route[];
  /** Of a request body and of a websocket message. */
  maxBodyBytes?: number;
}

const MAX_BODY_BYTES = 4 * 1024 * 1024;
const GRAPHQL_PATH = '/graphql';

/** A subgraph: GraphQL over HTTP and graphql-transport-ws at `/graphql`, health, metrics and drain. */
export async function startSubgraph<Context extends RequestContext>(
  options: SubgraphOptions<Context>,
): Promise<HttpServer> {
  const { createContext, verifyIdentity, log, routes = [], maxBodyBytes = MAX_BODY_BYTES } = options;
  const schema = buildSchema(options.typeDefs, options.resolvers);
  const endpoint = { schema, createContext, verifyIdentity, log, tracing: options.tracing ?? null };
  const http = await createHttpEndpoint({ ...endpoint, maxBodyBytes });
  const ws = createWsEndpoint({ ...endpoint, maxMessageBytes: maxBodyBytes });

  const server = await startHttpServer({
    port: options.port,
    host: options.host,
    ready: options.ready,
    metrics: options.metrics,
    log,
    async handler(req, res) {
      const path = pathOf(req);
      if (path === GRAPHQL_PATH) return http.handle(req, res);
      const route = routes.find((candidate) => candidate.path === path && candidate.method === req.method);
      if (route === undefined) throw new AppError('NOT_FOUND', 'There is nothing here.');
      return route.handle(req, res);
    },
    routeOf: (req) => {
      const path = pathOf(req);
      return path === GRAPHQL_PATH || routes.some((route) => route.path === path) ? path : 'other';
    },
    upgrade(req, socket, head) {
      if (pathOf(req) === GRAPHQL_PATH) ws.upgrade(req, socket, head);
      else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    },
    onDrain: () => ws.drain(),
  });
  log.info({ url: server.url }, `${options.name} listens`);

  return {
    ...server,
    async close(closeOptions) {
      await server.close(closeOptions);
      await http.stop();
    },
  };
}

function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').split('?', 1)[0] ?? '/';
}

function buildSchema(typeDefs: string, resolvers: object): GraphQLSchema {
  const map: Record<string, Record<string, unknown>> = Object.fromEntries(Object.entries(resolvers));
  for (const [type, fields] of Object.entries(map)) {
    const resolveReference = fields['__resolveReference'];
    if (typeof resolveReference !== 'function') continue;
    // Called in the same tick for all representations, so that loaders batch. Being async, one that
    // throws at once fails its own entity and not the whole list.
    const guarded = async (...args: unknown[]): Promise<unknown> => Reflect.apply(resolveReference, fields, args);
    map[type] = { ...fields, __resolveReference: guarded };
  }
  if (!isResolverMap(map)) throw new TypeError('Resolvers are objects by type.');
  return buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers: map }]);
}

/** The fields' own types were checked by codegen where they were written. */
function isResolverMap(map: Record<string, object>): map is GraphQLResolverMap {
  return Object.values(map).every((fields) => typeof fields === 'object');
}
