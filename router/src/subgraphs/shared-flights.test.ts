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
import type { HttpTransportOptions } from './http-transport.ts';

describe('the same query in flight', () => {
  /** Holds all answers until as many calls have come. */
  async function startHeld(options: HttpTransportOptions = {}) {
    const shared: number[] = [];
    const held: Call[] = [];
    const arrived: PromiseWithResolvers<void>[] = [];
    const started = await startTransport(
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
