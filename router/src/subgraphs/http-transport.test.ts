import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  ask,
  contextOf,
  failure,
  hello,
  MUTATION,
  operationOf,
  QUERY,
  startTransport,
} from '../testing/transport-to-subgraph.ts';
import type { Call } from '../testing/transport-to-subgraph.ts';
import { until } from '../testing/until.ts';

describe('a request', () => {
  test('carries the operation, the variables, and what the subgraph has to know', async () => {
    const { transport, calls } = await startTransport(hello);
    const operation = { ...QUERY, query: 'query Greet($to: String) { hello(to: $to) }', operationName: 'Greet' };
    const variables = { to: 'Zoë "Z"', nothing: null };
    const context = contextOf({ headers: { traceparent: '00-1-2-01', 'x-tenant': 'a' } });
    expect(await transport.call({ operation, variables }, context)).toMatchObject({ data: { hello: 'world' } });
    await transport.call({ operation: QUERY, variables: undefined }, contextOf({ identity: () => null }));
    const [first, second] = calls;
    expect(JSON.parse(first?.body ?? '')).toEqual({ query: operation.query, operationName: 'Greet', variables });
    expect(first?.req.method).toBe('POST');
    expect(first?.req.url).toBe('/graphql?of=timbre');
    expect(first?.req.headers).toMatchObject({
      'content-type': 'application/json',
      'accept-encoding': 'gzip, br',
      'x-request-id': 'req-1',
      'x-timbre-identity': 'v1.somebody',
      traceparent: '00-1-2-01',
      'x-tenant': 'a',
    });
    expect(JSON.parse(second?.body ?? '')).toEqual({ query: QUERY.query });
    expect(second?.req.headers).not.toHaveProperty('x-timbre-identity');
  });
});

describe('an answer', () => {
  const body = JSON.stringify({ data: { hello: 'wörld '.repeat(500) } });

  test.each([
    ['gzip', gzipSync(body)],
    ['br', brotliCompressSync(body)],
  ])('is decompressed: %s', async (encoding, bytes) => {
    const { transport } = await startTransport(({ res }) =>
      res.writeHead(200, { 'content-encoding': encoding }).end(bytes),
    );
    expect(await ask(transport)).toMatchObject(JSON.parse(body));
  });

  test('may come in many pieces, that cut through characters', async () => {
    const { transport } = await startTransport(({ res }) => {
      const bytes = Buffer.from(body);
      for (let at = 0; at < bytes.length; at += 7) res.write(bytes.subarray(at, at + 7));
      res.end();
    });
    expect(await ask(transport)).toMatchObject(JSON.parse(body));
  });

  test('of the type of GraphQL responses is read whatever its status, with its errors checked', async () => {
    const sent = {
      data: { hello: null },
      errors: [{ message: 'No.', path: ['hello', 0], extensions: { code: 'GONE' }, locations: [], more: 1 }],
      extensions: { tracing: {} },
    };
    const { transport } = await startTransport(({ res }) =>
      res
        .writeHead(400, { 'content-type': 'application/graphql-response+json; charset=utf-8' })
        .end(JSON.stringify(sent)),
    );
    expect(await ask(transport)).toMatchObject({
      data: { hello: null },
      errors: [{ message: 'No.', path: ['hello', 0], extensions: { code: 'GONE' } }],
    });
  });

  test('that stops to come leaves no socket behind, and the transport as it was', async () => {
    const { transport, sockets } = await startTransport(
      ({ res, count }) => {
        if (count > 20) hello({ res, count, body: '', req: res.req });
        else if (count % 2 === 0) res.write('{');
      },
      { timeoutMs: 1_000, breaker: null },
    );
    const operations = Array.from({ length: 20 }, (_, i) => operationOf('query', `hello${i}`));
    const codes = await Promise.all(operations.map((operation) => failure(ask(transport, {}, operation))));
    expect(new Set(codes)).toEqual(new Set(['TIMEOUT']));
    await until(() => sockets.size === 0);
    expect(await ask(transport)).toMatchObject({ data: { hello: 'world' } });
    expect(sockets.size).toBe(1);
  });
});

describe('silence', () => {
  test.each<[string, (call: Call) => void]>([
    ['before the first byte', () => undefined],
    ['after it', ({ res }) => res.write('{')],
  ])('ends a call %s, long before its time is up', async (_name, answer) => {
    const { transport, sockets } = await startTransport(answer, { headersTimeoutMs: 100, timeoutMs: 60_000 });
    expect(await failure(ask(transport))).toBe('TIMEOUT');
    await until(() => sockets.size === 0);
  });
});

describe('a canceled call', () => {
  test('is not made', async () => {
    const { transport, calls } = await startTransport(hello);
    expect(await failure(ask(transport, { signal: AbortSignal.abort() }))).toBe('CANCELED');
    expect(calls).toEqual([]);
  });

  test('is ended at the subgraph, too', async () => {
    const controller = new AbortController();
    const { transport, sockets } = await startTransport(() => controller.abort());
    expect(await failure(ask(transport, { signal: controller.signal }))).toBe('CANCELED');
    await until(() => sockets.size === 0);
  });
});

test('a transport that is closed refuses, and lets go of what is in flight', async () => {
  const arrived = Promise.withResolvers<void>();
  const { transport, sockets } = await startTransport(() => arrived.resolve());
  const waiting = failure(ask(transport));
  await arrived.promise;
  await transport.close();
  expect(await waiting).toBe('SUBGRAPH_UNAVAILABLE');
  expect(await failure(ask(transport, {}, MUTATION))).toBe('SUBGRAPH_UNAVAILABLE');
  await until(() => sockets.size === 0);
});
