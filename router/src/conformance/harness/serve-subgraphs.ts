import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { execute, parse, validate } from 'graphql';
import type { ExecutionResult, GraphQLSchema } from 'graphql';
import { IDENTITY_HEADER } from '@timbre/platform/identity';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import { listen } from '../../testing/listen.ts';

export interface SubgraphCall {
  subgraph: string;
  query: string;
}

export interface SubgraphServers {
  urlOf: (name: string) => string;
  /** What was asked over HTTP, until somebody empties it. */
  calls: SubgraphCall[];
  close(): Promise<void>;
}

const requestSchema = z.object({
  query: z.string(),
  operationName: z.string().nullish(),
  variables: z.record(z.string(), z.unknown()).nullish(),
});

export interface ServeOptions {
  /** What resolvers are given of the identity that the router sends. */
  contextOf?: (identity: unknown) => unknown;
  /** Of every answer. */
  headers?: Readonly<Record<string, string>>;
}

/**
 * Serves each schema at a path of its own, over HTTP and graphql-transport-ws. They validate what they are asked.
 */
export async function serveSubgraphs(
  schemas: ReadonlyMap<string, GraphQLSchema>,
  { contextOf = () => undefined, headers = {} }: ServeOptions = {},
): Promise<SubgraphServers> {
  const nameOf = (req: IncomingMessage) => (req.url ?? '').slice(1);

  async function answer(name: string, body: string, identity: unknown): Promise<ExecutionResult> {
    const schema = schemas.get(name);
    if (schema === undefined) throw new Error(`No subgraph ${name}`);
    const { query, operationName, variables } = requestSchema.parse(JSON.parse(body));
    servers.calls.push({ subgraph: name, query });
    const document = parse(query);
    const errors = validate(schema, document);
    if (errors.length > 0) return { errors };
    return execute({
      schema,
      document,
      operationName: operationName ?? null,
      variableValues: variables ?? null,
      contextValue: contextOf(identity),
    });
  }

  const server = createServer((req, res) => {
    void text(req)
      .then((body) => answer(nameOf(req), body, req.headers[IDENTITY_HEADER]))
      .catch((error: unknown) => ({ errors: [{ message: String(error) }] }))
      .then((result) =>
        res.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(result)),
      );
  });
  const sockets = [...schemas].map(([name, schema]) => {
    const wsServer = new WebSocketServer({ noServer: true });
    const context = (_ctx: unknown, _id: string, { extensions }: SubscribePayload) =>
      contextOf(extensions?.['identity']);
    useServer({ schema, context }, wsServer);
    return [name, wsServer] as const;
  });
  server.on('upgrade', (req, socket, head) => {
    const wsServer = sockets.find(([name]) => name === nameOf(req))?.[1];
    if (wsServer === undefined) socket.destroy();
    else wsServer.handleUpgrade(req, socket, head, (client) => wsServer.emit('connection', client, req));
  });
  const url = await listen(server);

  const servers: SubgraphServers = {
    urlOf: (name) => `${url}/${name}`,
    calls: [],
    async close() {
      for (const [, wsServer] of sockets) for (const client of wsServer.clients) client.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return servers;
}
