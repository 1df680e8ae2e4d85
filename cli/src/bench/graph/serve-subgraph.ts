import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { json } from 'node:stream/consumers';
import { buildASTSchema, execute, extendSchema, getOperationAST, parse, type DocumentNode } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import { ENTITIES } from './schemas.ts';

/** Functions of a root field's arguments. */
type Root = Record<string, object>;

export interface SubgraphRoots {
  query: Root;
  mutation: Root;
  subscription: Root;
}

const requestSchema = z.object({ query: z.string(), variables: z.record(z.string(), z.unknown()).nullish() });

/**
 * A subgraph of graphql-js over HTTP and, by graphql-ws as its documentation has it, graphql-transport-ws.
 *
 * @returns the websockets that are open
 */
export async function serveSubgraph(port: number, sdl: string, roots: SubgraphRoots): Promise<ReadonlySet<unknown>> {
  const federated = buildASTSchema(parse(sdl), { assumeValidSDL: true });
  const schema = extendSchema(federated, parse(ENTITIES), { assumeValidSDL: true });
  const documents = new Map<string, DocumentNode>();
  const answer = async (req: IncomingMessage): Promise<string> => {
    const { query, variables } = requestSchema.parse(await json(req));
    const document = documents.get(query) ?? parse(query);
    documents.set(query, document);
    const rootValue = roots[getOperationAST(document)?.operation ?? 'query'];
    return JSON.stringify(await execute({ schema, document, rootValue, variableValues: variables ?? {} }));
  };
  const server = createServer((req, res) => {
    answer(req).then(
      (text) => res.writeHead(200, { 'content-type': 'application/json' }).end(text),
      (error: unknown) => res.writeHead(500).end(String(error)),
    );
  });
  const sockets = new WebSocketServer({ server, path: '/graphql' });
  useServer({ schema, roots }, sockets);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return sockets.clients;
}
