import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openSocket } from '../../testing/raw-socket.ts';
import { complete, INIT, QUERY, QUIET, socketClients, subscribe } from '../../testing/socket-clients.ts';
import { startTestGraph } from '../../testing/test-graph.ts';
import type { TestGraph } from '../../testing/test-graph.ts';
import { startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';
import { until } from '../../testing/until.ts';

let graph: TestGraph;
let router: TestRouter;
const { terminateAll } = socketClients(() => router);

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph, { maxBodyBytes: 100_000 });
});

afterEach(async () => {
  terminateAll();
  await until(() => graph.openStreams() === 0);
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

describe('any order of messages', () => {
  /** What the protocol says of a message after the ones before it: a close code, or the type of the answer. */
  interface State {
    inited: boolean;
    active: Set<string>;
  }
  type Step = { message: object | string; expected: (state: State) => number | string | null };
  const whenReady = (then: (state: State) => number | string | null) => (state: State) =>
    state.inited ? then(state) : 4401;
  const steps: Step[] = [
    {
      message: INIT,
      expected(state) {
        if (state.inited) return 4429;
        state.inited = true;
        return 'connection_ack';
      },
    },
    { message: { type: 'ping' }, expected: () => 'pong' },
    { message: { type: 'pong' }, expected: () => null },
    { message: { type: 'next', id: 'a' }, expected: () => 4400 },
    ...['a', 'b'].flatMap((id): Step[] => [
      {
        message: subscribe(id, QUIET),
        expected: whenReady(({ active }) => {
          if (active.has(id)) return 4409;
          active.add(id);
          return null;
        }),
      },
      { message: subscribe(id, QUERY), expected: whenReady(({ active }) => (active.has(id) ? 4409 : 'complete')) },
      { message: subscribe(id, '{ no }'), expected: whenReady(({ active }) => (active.has(id) ? 4409 : 'error')) },
      {
        message: complete(id),
        expected({ active }) {
          active.delete(id);
          return null;
        },
      },
    ]),
  ];
  /** A small generator (mulberry32), so that a failure can be run again by its seed. */
  const randomOf = (seed: number) => {
    let a = seed;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  };

  test('is answered, or ended with the code, that the protocol states', async () => {
    for (let seed = 0; seed < 150; seed += 1) {
      const random = randomOf(seed);
      const socket = await openSocket(router.wsUrl);
      const state: State = { inited: false, active: new Set() };
      const said: object[] = [];
      // Most orders would end at their first message.
      const wellBegun = random() < 0.8;
      for (let i = 0; i < 12; i += 1) {
        const step = wellBegun && i === 0 ? steps[0] : steps[Math.floor(random() * steps.length)];
        if (step === undefined) break;
        said.push(step);
        socket.say(step.message);
        const expected = step.expected(state);
        if (typeof expected === 'number') {
          expect((await socket.closed).code, JSON.stringify({ seed, said })).toBe(expected);
          break;
        }
        if (expected !== null) expect(await socket.hear(expected)).toMatchObject({ type: expected });
      }
      socket.socket.terminate();
    }
    await until(() => graph.openStreams() === 0);
  });
});
