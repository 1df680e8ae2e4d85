import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { startTestRouter } from '../testing/test-router.ts';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { listen } from '../testing/listen.ts';
import type { HeaderRule } from './propagate-headers.ts';
import { createHeaderPropagation } from './propagate-headers.ts';

let graph: TestGraph;

beforeAll(async () => {
  graph = await startTestGraph();
});

afterAll(() => graph.close());

/** What a subgraph is sent when a client sends these headers. */
async function receivedFor(headers: Record<string, string>, propagateHeaders?: readonly HeaderRule[]) {
  const received: IncomingHttpHeaders[] = [];
  const server = createServer((req, res) => {
    received.push(req.headers);
    res.setHeader('content-type', 'application/json').end('{"data":{"voice":null}}');
  });
  const url = `${await listen(server)}/graphql`;
  const router = await startTestRouter(
    { supergraph: graph.supergraph, subgraphUrl: () => url },
    propagateHeaders === undefined ? {} : { propagateHeaders },
  );
  await router.query('{ voice(id: "v") { id } }', { headers });
  await router.close();
  server.close();
  const [first] = received;
  if (first === undefined) throw new Error('The subgraph was not called.');
  return first;
}

describe('headers of a client', () => {
  const TRACE = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=b' };

  test('stay at the router, but for trace context', async () => {
    const received = await receivedFor({ ...TRACE, cookie: 'a=b', 'x-tenant': 'a', 'x-timbre-identity': 'v1.forged' });
    expect(received).toMatchObject(TRACE);
    expect(received).not.toHaveProperty('cookie');
    expect(received).not.toHaveProperty('authorization');
    expect(received).not.toHaveProperty('x-tenant');
    expect(received['x-timbre-identity']).not.toBe('v1.forged');
  });

  test('go on by the names, the new names and the defaults of the rules, and no others', async () => {
    const rules: HeaderRule[] = [
      'X-Tenant',
      { name: 'accept-language', as: 'x-language', default: 'en' },
      { name: 'x-region', default: 'eu' },
      'x-absent',
    ];
    const received = await receivedFor({ ...TRACE, 'x-tenant': 'a', 'accept-language': 'de' }, rules);
    expect(received).toMatchObject({ 'x-tenant': 'a', 'x-language': 'de', 'x-region': 'eu' });
    for (const name of ['traceparent', 'accept-language', 'x-absent']) expect(received).not.toHaveProperty(name);
  });
});

describe('rules', () => {
  test('do not cost where none applies', () => {
    const propagate = createHeaderPropagation(['traceparent']);
    expect(propagate({ host: 'a', cookie: 'b' })).toBeUndefined();
    expect(propagate(undefined)).toBeUndefined();
  });

  test('leave out what the client declares to be for this connection', () => {
    const propagate = createHeaderPropagation(['x-hop', { name: 'x-other', default: 'o' }]);
    expect(propagate({ connection: 'X-Hop, x-other', 'x-hop': '1', 'x-other': '2' })).toEqual({ 'x-other': 'o' });
    expect(propagate({ connection: 'keep-alive', 'x-hop': '1' })).toEqual({ 'x-hop': '1', 'x-other': 'o' });
  });

  test.each(['Connection', 'transfer-encoding', 'host', 'content-length', 'x-timbre-identity', 'x-request-id', 'a b'])(
    'cannot name %s, neither here nor there',
    (name) => {
      expect(() => createHeaderPropagation([name])).toThrow(RangeError);
      expect(() => createHeaderPropagation([{ name: 'x-mine', as: name }])).toThrow(RangeError);
    },
  );

  test('cannot meet in one name', () => {
    expect(() => createHeaderPropagation(['x-a', { name: 'x-b', as: 'X-A' }])).toThrow(RangeError);
  });
});
