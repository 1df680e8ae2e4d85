import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { createHttpTransport } from '../subgraphs/http-transport.ts';
import type { HttpTransportOptions, TransportEvents } from '../subgraphs/http-transport.ts';
import { SubgraphFailure } from '../subgraphs/subgraph-transport.ts';
import type { CallContext, SubgraphOperation, SubgraphTransport } from '../subgraphs/subgraph-transport.ts';
import { listen } from './listen.ts';

/** One that has come to the subgraph. */
export interface Call {
  req: IncomingMessage;
  res: ServerResponse;
  body: string;
  /** From 1. */
  count: number;
}

/** A subgraph in the hands of a test, and the transport to it. */
export async function startTransport(
  answer: (call: Call) => void,
  options: HttpTransportOptions = {},
  events: TransportEvents = {},
): Promise<{ transport: SubgraphTransport; calls: Call[]; sockets: Set<Socket>; url: string }> {
  const calls: Call[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((req, res) => {
    const taken = async () => {
      const call = { req, res, body: await text(req), count: calls.length + 1 };
      calls.push(call);
      answer(call);
    };
    void taken();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  const url = `${await listen(server)}/graphql?of=timbre`;
  const transport = createHttpTransport({ name: 'voices', url }, options, events);
  onTestFinished(async () => {
    await transport.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { transport, calls, sockets, url };
}

/** What it answers with: any JSON, or what everybody is greeted with. */
export const json = (res: ServerResponse, body: unknown, status = 200) =>
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
export const hello = ({ res }: Call) => json(res, { data: { hello: 'world' } });

/** Of the subgraph: one field of its query or mutation. */
export const operationOf = (kind: SubgraphOperation['kind'] = 'query', name = 'hello'): SubgraphOperation => ({
  subgraph: 'voices',
  kind,
  query: `${kind} { ${name} }`,
  operationName: undefined,
});
export const contextOf = (context: Partial<CallContext> = {}): CallContext => ({
  requestId: 'req-1',
  identity: () => 'v1.somebody',
  ...context,
});
export const QUERY = operationOf();
export const MUTATION = operationOf('mutation');
/** Calls it without variables. */
export const ask = (transport: SubgraphTransport, context: Partial<CallContext> = {}, operation = QUERY) =>
  transport.call({ operation, variables: undefined }, contextOf(context));

/** The code with which a call fails. */
export async function failure(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SubgraphFailure)) throw new Error('It did not fail as it should.', { cause: error });
  return error.code;
}
