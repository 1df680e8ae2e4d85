import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { listen } from '../testing/listen.ts';
import { createHttpTransport } from './http-transport.ts';
import type { HttpTransportOptions, TransportEvents } from './http-transport.ts';
import { SubgraphFailure } from './subgraph-transport.ts';
import type { CallContext, SubgraphOperation, SubgraphTransport } from './subgraph-transport.ts';

interface Call {
  req: IncomingMessage;
  res: ServerResponse;
  body: string;
  /** From 1. */
  count: number;
}

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A subgraph in the hands of a test, and the transport to it. */
async function start(
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
  closing.push(async () => {
    await transport.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { transport, calls, sockets, url };
}

const json = (res: ServerResponse, body: unknown, status = 200) =>
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const hello = ({ res }: Call) => json(res, { data: { hello: 'world' } });

const operationOf = (kind: SubgraphOperation['kind'] = 'query', name = 'hello'): SubgraphOperation => ({
  subgraph: 'voices',
  kind,
  query: `${kind} { ${name} }`,
  operationName: undefined,
});
const contextOf = (context: Partial<CallContext> = {}): CallContext => ({
  requestId: 'req-1',
  identity: () => 'v1.somebody',
  ...context,
});
const QUERY = operationOf();
const MUTATION = operationOf('mutation');
const ask = (transport: SubgraphTransport, context: Partial<CallContext> = {}, operation = QUERY) =>
  transport.call({ operation, variables: undefined }, contextOf(context));

/** The code with which a call fails. */
async function failure(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SubgraphFailure)) throw new Error('It did not fail as it should.', { cause: error });
  return error.code;
}

/** Waits for something that a server notices after the client has gone on. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

describe('a request', () => {
  test('carries the operation, the variables, and what the subgraph has to know', async () => {
    const { transport, calls } = await start(hello);
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
    const { transport } = await start(({ res }) => res.writeHead(200, { 'content-encoding': encoding }).end(bytes));
    expect(await ask(transport)).toMatchObject(JSON.parse(body));
  });

  test('may come in many pieces, that cut through characters', async () => {
    const { transport } = await start(({ res }) => {
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
    const { transport } = await start(({ res }) =>
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
    const { transport, sockets } = await start(
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
    const { transport, sockets } = await start(answer, { headersTimeoutMs: 100, timeoutMs: 60_000 });
    expect(await failure(ask(transport))).toBe('TIMEOUT');
    await until(() => sockets.size === 0);
  });
});

describe('a canceled call', () => {
  test('is not made', async () => {
    const { transport, calls } = await start(hello);
    expect(await failure(ask(transport, { signal: AbortSignal.abort() }))).toBe('CANCELED');
    expect(calls).toEqual([]);
  });

  test('is ended at the subgraph, too', async () => {
    const controller = new AbortController();
    const { transport, sockets } = await start(() => controller.abort());
    expect(await failure(ask(transport, { signal: controller.signal }))).toBe('CANCELED');
    await until(() => sockets.size === 0);
  });
});

describe('the same query in flight', () => {
  /** Holds all answers until as many calls have come. */
  async function startHeld(options: HttpTransportOptions = {}) {
    const shared: number[] = [];
    const held: Call[] = [];
    const arrived: PromiseWithResolvers<void>[] = [];
    const started = await start(
      (call) => {
        held.push(call);
        for (const one of arrived.splice(0)) one.resolve();
      },
      options,
      { onShared: () => shared.push(1) },
    );
    const arrival = async (count: number) => {
      while (held.length < count) {
        const next = Promise.withResolvers<void>();
        arrived.push(next);
        await next.promise;
      }
    };
    return {
      ...started,
      shared,
      arrival,
      release: () =>
        held
          .splice(0)
          .filter(({ res }) => !res.writableEnded)
          .forEach(hello),
    };
  }

  test('is sent once, and everybody has a copy of the answer', async () => {
    const { transport, calls, shared, arrival, release } = await startHeld();
    const variables = { n: 1 };
    const all = [1, 2, 3].map(() => transport.call({ operation: QUERY, variables: { ...variables } }, contextOf()));
    await arrival(1);
    release();
    const [first, second] = await Promise.all(all);
    expect(first).toMatchObject({ data: { hello: 'world' } });
    expect(second).toEqual(first);
    expect(second?.data).not.toBe(first?.data);
    expect(calls.length).toBe(1);
    expect(shared.length).toBe(2);
    const again = ask(transport);
    await arrival(1);
    release();
    await again;
    expect(calls.length).toBe(2);
  });

  test('is shared with nobody who might get another answer', async () => {
    const { transport, calls, shared, arrival, release } = await startHeld();
    const all = [
      ask(transport),
      ask(transport, { identity: () => 'v1.another' }),
      ask(transport, { identity: () => null }),
      ask(transport, { headers: { 'x-tenant': 'a' } }),
      ask(transport, { headers: { 'x-tenant': 'b' } }),
      ask(transport, {}, operationOf('query', 'goodbye')),
      transport.call({ operation: QUERY, variables: { n: 1 } }, contextOf()),
      ask(transport, {}, MUTATION),
      ask(transport, {}, MUTATION),
    ];
    await arrival(all.length);
    release();
    await Promise.all(all);
    expect(calls.length).toBe(all.length);
    expect(shared).toEqual([]);
  });

  test('is shared across traces', async () => {
    const { transport, calls, arrival, release } = await startHeld();
    const all = ['00-1-1-01', '00-2-2-01'].map((traceparent) => ask(transport, { headers: { traceparent } }));
    await arrival(1);
    release();
    await Promise.all(all);
    expect(calls.length).toBe(1);
  });

  test('is not joined by who has changed something since', async () => {
    const { transport, calls, arrival, release } = await startHeld();
    const before = ask(transport);
    await arrival(1);
    const change = ask(transport, {}, MUTATION);
    const during = ask(transport);
    await arrival(3);
    const [, mutation] = calls;
    if (mutation !== undefined) hello(mutation);
    await change;
    const after = ask(transport);
    await arrival(4);
    release();
    await Promise.all([before, during, after]);
    expect(calls.length).toBe(4);
  });

  test('goes on for the others when one leaves, and ends when all have', async () => {
    const { transport, calls, arrival, release } = await startHeld();
    const [first, second] = [new AbortController(), new AbortController()];
    const leaving = ask(transport, { signal: first.signal });
    const staying = ask(transport, { signal: second.signal });
    await arrival(1);
    first.abort();
    expect(await failure(leaving)).toBe('CANCELED');
    release();
    expect(await staying).toMatchObject({ data: { hello: 'world' } });

    const both = [first, second].map(() => new AbortController());
    const abandoned = both.map(({ signal }) => ask(transport, { signal }));
    await arrival(1);
    for (const controller of both) controller.abort();
    expect(await Promise.all(abandoned.map(failure))).toEqual(['CANCELED', 'CANCELED']);
    await until(() => calls.at(-1)?.req.socket.destroyed === true);
  });
});

describe('a retry', () => {
  const reset = ({ res }: Call) => res.socket?.destroy();

  test.each<[string, (call: Call) => void]>([
    ['a reset', reset],
    ['502', ({ res }) => res.writeHead(502, { 'content-type': 'text/html' }).end('<html>')],
    ['503', ({ res }) => json(res, {}, 503)],
    ['504', ({ res }) => json(res, {}, 504)],
  ])('makes up for %s, twice', async (_name, fail) => {
    const retried: number[] = [];
    const { transport, calls } = await start(
      (call) => (call.count <= 2 ? fail(call) : hello(call)),
      {},
      { onRetry: () => retried.push(1) },
    );
    expect(await ask(transport)).toMatchObject({ data: { hello: 'world' } });
    expect(calls.length).toBe(3);
    expect(retried.length).toBe(2);
  });

  test('is not made of what changes something, nor of an answer, whatever it is, nor of a timeout', async () => {
    const { transport, calls } = await start(reset);
    expect(await failure(ask(transport, {}, MUTATION))).toBe('SUBGRAPH_UNAVAILABLE');
    expect(calls.length).toBe(1);
    const odd = await start(({ res }) => res.writeHead(500, { 'content-type': 'text/html' }).end('<html>'));
    expect(await failure(ask(odd.transport))).toBe('SUBGRAPH_UNAVAILABLE');
    expect(odd.calls.length).toBe(1);
    const silent = await start(() => undefined, { timeoutMs: 100 });
    expect(await failure(ask(silent.transport))).toBe('TIMEOUT');
    expect(silent.calls.length).toBe(1);
  });

  test('does not multiply an outage', async () => {
    const { transport, calls } = await start(reset, { breaker: null });
    const failures = Array.from({ length: 200 }, (_, i) => failure(ask(transport, {}, operationOf('query', `h${i}`))));
    expect(new Set(await Promise.all(failures))).toEqual(new Set(['SUBGRAPH_UNAVAILABLE']));
    expect(calls.length).toBeGreaterThan(200);
    expect(calls.length).toBeLessThanOrEqual(200 + 10 + 200 * 0.2);
  });
});

describe('the circuit breaker', () => {
  const BREAKER = { threshold: 0.5, windowMs: 10_000, minimumCalls: 5, openMs: 500 };

  async function startBroken(answer: (call: Call) => void) {
    const states: string[] = [];
    let opened = Promise.withResolvers<void>();
    const events = {
      onBreaker(state: string) {
        states.push(state);
        if (state === 'open') opened.resolve();
      },
    };
    const started = await start(answer, { breaker: BREAKER, retries: 0, timeoutMs: 10_000 }, events);
    return {
      ...started,
      states,
      open: async () => {
        opened = Promise.withResolvers();
        for (let i = 0; i < BREAKER.minimumCalls; i += 1) await failure(ask(started.transport));
        await opened.promise;
      },
      /** Asks until the breaker lets it through. */
      tried: async (arrival: Promise<Call>, context: Partial<CallContext> = {}) => {
        for (;;) {
          const trial = ask(started.transport, context);
          const call = await Promise.race([arrival, trial.catch(() => null)]);
          if (call !== null && 'res' in call) return { trial, call };
        }
      },
    };
  }

  test('spares a subgraph that does not answer, and tries with one call', async () => {
    let isDown = true;
    let probe = Promise.withResolvers<Call>();
    const { transport, calls, states, open, tried } = await startBroken((call) => {
      if (isDown) call.res.socket?.destroy();
      else probe.resolve(call);
    });
    await open();
    const before = calls.length;
    const refused = await ask(transport).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE' });
    expect(String(refused)).toContain('is not called for now');
    expect(calls.length).toBe(before);

    isDown = false;
    const { trial, call } = await tried(probe.promise);
    const other = operationOf('query', 'other');
    expect(await failure(ask(transport, {}, other))).toBe('SUBGRAPH_UNAVAILABLE');
    expect(calls.length).toBe(before + 1);
    hello(call);
    expect(await trial).toMatchObject({ data: { hello: 'world' } });
    expect(states).toEqual(['open', 'half-open', 'closed']);
    probe = Promise.withResolvers();
    const usual = ask(transport, {}, other);
    hello(await probe.promise);
    await usual;
  });

  test('stays open when the trial fails, and the trial goes on when its client has gone', async () => {
    let isDown = true;
    let trial = Promise.withResolvers<Call>();
    const { states, open, tried } = await startBroken((call) => {
      trial.resolve(call);
      if (isDown) call.res.socket?.destroy();
    });
    await open();
    trial = Promise.withResolvers();
    await failure((await tried(trial.promise)).trial);
    expect(states).toEqual(['open', 'half-open', 'open']);

    isDown = false;
    trial = Promise.withResolvers();
    const client = new AbortController();
    const { trial: leaving, call } = await tried(trial.promise, { signal: client.signal });
    client.abort();
    expect(await failure(leaving)).toBe('CANCELED');
    call.res.socket?.destroy();
    await until(() => states.length === 5);
    expect(states.slice(3)).toEqual(['half-open', 'open']);
  });

  test('does not mind errors, nonsense, too much, or clients that leave', async () => {
    const { transport, calls, states } = await startBroken(({ res, count }) => {
      if (count % 4 === 0) json(res, { data: null, errors: [{ message: 'No.' }] });
      else if (count % 4 === 1) res.writeHead(500, { 'content-type': 'text/html' }).end('<html>');
      else if (count % 4 === 2) res.writeHead(200, { 'content-length': 1e9 }).write('{');
      else clients.shift()?.abort();
    });
    const clients: AbortController[] = [];
    for (let i = 0; i < 24; i += 1) {
      const client = new AbortController();
      clients.push(client);
      const { length } = clients;
      await ask(transport, { signal: client.signal }).catch(() => undefined);
      if (clients.length === length) clients.pop();
    }
    expect(calls.length).toBe(24);
    expect(states).toEqual([]);
  });

  test('opens on timeouts and on a proxy that finds nobody behind it', async () => {
    const { open, calls } = await startBroken(({ res, count }) => {
      if (count % 2 === 0) json(res, {}, 503);
      else res.socket?.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
    });
    await open();
    expect(calls.length).toBe(BREAKER.minimumCalls);
    const silent = await start(() => undefined, { breaker: BREAKER, retries: 0, timeoutMs: 50 });
    for (let i = 0; i < BREAKER.minimumCalls; i += 1) expect(await failure(ask(silent.transport))).toBe('TIMEOUT');
    expect(await failure(ask(silent.transport))).toBe('SUBGRAPH_UNAVAILABLE');
  });
});

test('a transport that is closed refuses, and lets go of what is in flight', async () => {
  const arrived = Promise.withResolvers<void>();
  const { transport, sockets } = await start(() => arrived.resolve());
  const waiting = failure(ask(transport));
  await arrived.promise;
  await transport.close();
  expect(await waiting).toBe('SUBGRAPH_UNAVAILABLE');
  expect(await failure(ask(transport, {}, MUTATION))).toBe('SUBGRAPH_UNAVAILABLE');
  await until(() => sockets.size === 0);
});
