import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ResumeRules } from './resume.ts';
import { plannerThreads } from '../supergraph/planner-threads.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';

const RESUME: ResumeRules = { ticks: { argument: 'after', field: 'sequence' } };

let graph: TestGraph;
let router: TestRouter;
let supergraphs: Record<'first' | 'unrelated' | 'emailForAll' | 'voicesForSome' | 'withoutTicks', string>;

/** The text with a change that is known to be one. */
const changed = (sdl: string, from: RegExp | string, to: string) => {
  const result = sdl.replace(from, to);
  if (result === sdl) throw new Error(`There is no ${String(from)} in the supergraph.`);
  return result;
};

beforeAll(async () => {
  graph = await startTestGraph();
  const first = graph.supergraph;
  supergraphs = {
    first,
    unrelated: changed(first, 'costly', 'precious'),
    emailForAll: changed(first, / @requiresScopes\(scopes: \[\["profile:read"\], \["admin:users"\]\]\)/, ''),
    voicesForSome: changed(first, /(voices\(first: Int! = 2\): \[Voice!\])/, '$1 @requiresScopes(scopes: [["some"]])'),
    withoutTicks: changed(first, 'ticks(', 'clicks('),
  };
});
afterAll(() => graph.close());

beforeEach(() => {
  graph.subscribedBy.length = 0;
});
afterEach(async () => {
  await router.close();
  await until(() => graph.openStreams() === 0);
});

interface Tick {
  sequence: number;
  person?: { name?: string; email?: string | null; voices?: { label: string }[] | null };
}

/** An open subscription: what it gave, and what it ended with. */
function follow(query: string) {
  const ticks: Tick[] = [];
  const ended = Promise.withResolvers<unknown>();
  router.wsClient().subscribe<{ ticks: Tick }>(
    { query },
    {
      next: ({ data }) => void (data && ticks.push(data.ticks)),
      error: (error) => ended.resolve(error),
      complete: () => ended.resolve(null),
    },
  );
  return { ticks, ended: ended.promise, sequences: () => ticks.map(({ sequence }) => sequence) };
}

const moves = (outcome: string) => router.metric('timbre_router_subscription_moves_total', { outcome });

describe('a subscription that asks its subgraph for the same', () => {
  const query = 'subscription { ticks(count: 1000) { sequence person { name email } } }';

  test('keeps its upstream and takes its events as the new supergraph has them', async () => {
    router = await startTestRouter(graph);
    const { ticks } = follow(query);
    await until(() => ticks.length === 1);
    await router.reload(supergraphs.emailForAll);
    await until(async () => (await moves('kept')) === 1);
    graph.tick();
    await until(() => ticks.length === 2);
    expect(ticks).toEqual([
      { sequence: 1, person: { name: 'Person p1', email: null } },
      { sequence: 2, person: { name: 'Person p2', email: 'p2@example.com' } },
    ]);
    expect(graph.subscribedBy).toHaveLength(1);
  });

  test('misses nothing however often that happens', async () => {
    router = await startTestRouter(graph);
    const { sequences } = follow(query);
    await until(() => graph.openStreams() === 1);
    const ticking = setInterval(() => graph.tick(), 2);
    for (let i = 0; i < 10; i += 1) await router.reload(i % 2 === 0 ? supergraphs.unrelated : supergraphs.first);
    const { length } = sequences();
    await until(() => sequences().length > length + 10);
    clearInterval(ticking);
    expect(sequences()).toEqual(sequences().map((_, i) => i + 1));
    expect(graph.subscribedBy).toHaveLength(1);
  });

  test('stays when the policies change', async () => {
    router = await startTestRouter(graph);
    const { sequences } = follow(query);
    await until(() => sequences().length === 1);
    await router.configure({ limits: { maxDepth: 10 } });
    await until(async () => (await moves('kept')) === 1);
    graph.tick();
    await until(() => sequences().length === 2);
    expect(graph.subscribedBy).toHaveLength(1);
  });
});

describe('a subscription that asks its subgraph for something else', () => {
  const query = 'subscription { ticks(count: 1000) { sequence person { voices(first: 1) { label } } } }';
  const start = (options: Parameters<typeof startTestRouter>[1] = {}) =>
    startTestRouter({ ...graph, supergraph: supergraphs.voicesForSome }, options);
  const voices = (n: number) => [{ label: `Voice 0 of p${n}` }];

  test('begins anew where no rule says how to go on, and leaves the old one', async () => {
    router = await start();
    const { ticks } = follow(query);
    await until(() => ticks.length === 1);
    graph.tick();
    await until(() => ticks.length === 2);
    await router.reload(supergraphs.first);
    await until(() => ticks.length === 3);
    await until(() => graph.openStreams() === 1);
    graph.tick();
    await until(() => ticks.length === 4);
    expect(ticks).toEqual([
      { sequence: 1, person: { voices: null } },
      { sequence: 2, person: { voices: null } },
      { sequence: 1, person: { voices: voices(1) } },
      { sequence: 2, person: { voices: voices(2) } },
    ]);
    expect(await moves('renewed')).toBe(1);
  });

  test('goes on after the last event where a rule says how, without a gap and without repeating', async () => {
    router = await start({ resume: RESUME });
    const { ticks, sequences } = follow(query);
    await until(() => graph.openStreams() === 1);
    const ticking = setInterval(() => graph.tick(), 2);
    for (let i = 0; i < 6; i += 1) {
      const { length } = ticks;
      await until(() => ticks.length > length + 5);
      await router.reload(i % 2 === 0 ? supergraphs.first : supergraphs.voicesForSome);
      await until(async () => (await moves('renewed')) === i + 1);
    }
    const { length } = ticks;
    await until(() => ticks.length > length + 5);
    clearInterval(ticking);
    expect(sequences()).toEqual(sequences().map((_, i) => i + 1));
    expect(new Set(ticks.map(({ person }) => person?.voices === null))).toEqual(new Set([true, false]));
    await until(() => graph.openStreams() === 1);
  });

  test('waits a second for the new one to say something, and leaves the old one then', async () => {
    router = await start();
    const { ticks } = follow('subscription { ticks: changes { sequence person { voices(first: 1) { label } } } }');
    await until(() => graph.openStreams() === 1);
    graph.tick();
    await until(() => ticks.length === 1);
    await router.reload(supergraphs.first);
    await until(() => graph.openStreams() === 2);
    await until(() => graph.openStreams() === 1);
    graph.tick();
    await until(() => ticks.length === 2);
    expect(ticks).toEqual([
      { sequence: 1, person: { voices: null } },
      { sequence: 1, person: { voices: voices(1) } },
    ]);
  });

  test('leaves the old one as soon as the new one says something', async () => {
    router = await start();
    const { ticks } = follow('subscription { ticks: changes { sequence person { voices(first: 1) { label } } } }');
    await until(() => graph.openStreams() === 1);
    await router.reload(supergraphs.first);
    await until(() => graph.openStreams() === 2);
    graph.tick();
    await until(() => graph.openStreams() === 1);
    await until(() => ticks.some(({ person }) => person?.voices !== null));
    expect(ticks.at(-1)).toEqual({ sequence: 1, person: { voices: voices(1) } });
  });
});

describe('a subscription that is not valid any more', () => {
  test('goes on for a little while and ends with the reason; not all at once', async () => {
    router = await startTestRouter(graph);
    const all = Array.from({ length: 12 }, () => follow('subscription { ticks(count: 1000) { sequence } }'));
    await until(() => all.every(({ ticks }) => ticks.length === 1));
    await router.reload(supergraphs.withoutTicks);
    await until(async () => (await moves('ended')) === all.length);
    graph.tick();
    const ends: number[] = [];
    const started = performance.now();
    await Promise.all(
      all.map(async ({ ended }) => {
        expect(await ended).toMatchObject([{ extensions: { code: 'SUBSCRIPTION_SCHEMA_RELOAD' } }]);
        ends.push(performance.now() - started);
      }),
    );
    expect(all.some(({ ticks }) => ticks.length === 2)).toBe(true);
    expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(500);
    await until(() => graph.openStreams() === 0);
    const { ended } = follow('subscription { clicks(count: 1) { sequence } }');
    expect(await ended).not.toBeNull();
  });
});

test('the supergraph that subscriptions were on ends when they have moved', async () => {
  router = await startTestRouter(graph);
  const { ticks } = follow('subscription { ticks(count: 1000) { sequence } }');
  await until(() => ticks.length === 1);
  await router.reload(supergraphs.unrelated);
  await until(async () => (await plannerThreads().loaded()).length === 1);
  graph.tick();
  await until(() => ticks.length === 2);
  expect(await moves('kept')).toBe(1);
});
