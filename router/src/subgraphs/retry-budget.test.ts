import { describe, expect, test } from 'vitest';
import { ask, failure, hello, json, MUTATION, operationOf, startTransport } from '../testing/transport-to-subgraph.ts';
import type { Call } from '../testing/transport-to-subgraph.ts';

describe('a retry', () => {
  const reset = ({ res }: Call) => res.socket?.destroy();

  test.each<[string, (call: Call) => void]>([
    ['a reset', reset],
    ['502', ({ res }) => res.writeHead(502, { 'content-type': 'text/html' }).end('<html>')],
    ['503', ({ res }) => json(res, {}, 503)],
    ['504', ({ res }) => json(res, {}, 504)],
  ])('makes up for %s, twice', async (_name, fail) => {
    const retried: number[] = [];
    const { transport, calls } = await startTransport(
      (call) => (call.count <= 2 ? fail(call) : hello(call)),
      {},
      { onRetry: () => retried.push(1) },
    );
    expect(await ask(transport)).toMatchObject({ data: { hello: 'world' } });
    expect(calls.length).toBe(3);
    expect(retried.length).toBe(2);
  });

  test('is not made of what changes something, nor of an answer, whatever it is, nor of a timeout', async () => {
    const { transport, calls } = await startTransport(reset);
    expect(await failure(ask(transport, {}, MUTATION))).toBe('SUBGRAPH_UNAVAILABLE');
    expect(calls.length).toBe(1);
    const odd = await startTransport(({ res }) => res.writeHead(500, { 'content-type': 'text/html' }).end('<html>'));
    expect(await failure(ask(odd.transport))).toBe('SUBGRAPH_UNAVAILABLE');
    expect(odd.calls.length).toBe(1);
    const silent = await startTransport(() => undefined, { timeoutMs: 100 });
    expect(await failure(ask(silent.transport))).toBe('TIMEOUT');
    expect(silent.calls.length).toBe(1);
  });

  test('does not multiply an outage', async () => {
    const { transport, calls } = await startTransport(reset, { breaker: null });
    const failures = Array.from({ length: 200 }, (_, i) => failure(ask(transport, {}, operationOf('query', `h${i}`))));
    expect(new Set(await Promise.all(failures))).toEqual(new Set(['SUBGRAPH_UNAVAILABLE']));
    expect(calls.length).toBeGreaterThan(200);
    expect(calls.length).toBeLessThanOrEqual(200 + 10 + 200 * 0.2);
  });
});
