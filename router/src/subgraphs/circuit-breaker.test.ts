import { describe, expect, test } from 'vitest';
import { ask, failure, hello, json, operationOf, startTransport } from '../testing/transport-to-subgraph.ts';
import type { Call } from '../testing/transport-to-subgraph.ts';
import { until } from '../testing/until.ts';
import type { CallContext } from './subgraph-transport.ts';

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
    const started = await startTransport(answer, { breaker: BREAKER, retries: 0, timeoutMs: 10_000 }, events);
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
    const silent = await startTransport(() => undefined, { breaker: BREAKER, retries: 0, timeoutMs: 50 });
    for (let i = 0; i < BREAKER.minimumCalls; i += 1) expect(await failure(ask(silent.transport))).toBe('TIMEOUT');
    expect(await failure(ask(silent.transport))).toBe('SUBGRAPH_UNAVAILABLE');
  });
});
