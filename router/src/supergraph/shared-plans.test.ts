import { createMemoryCache } from '@timbre/platform/cache/memory-cache';
import type { Cache } from '@timbre/platform/cache/cache';
import { createLogger } from '@timbre/platform/logger';
import { openShared } from '@timbre/platform/services';
import { redisMissing, startRedis } from '@timbre/platform/testing/redis';
import { expect, test } from 'vitest';
import { compose } from '../testing/compose.ts';
import { loadSupergraph } from './load-supergraph.ts';
import type { LoadedSupergraph } from './load-supergraph.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const SDL = compose({ a: 'type Query { name: String age: Int }' });
const QUERY = '{ name }';

/** A memory cache whose keys are known. */
function recorded(): { cache: Cache; keys: Set<string> } {
  const memory = createMemoryCache();
  const keys = new Set<string>();
  const set: Cache['set'] = (key, ...rest) => {
    keys.add(key);
    return memory.set(key, ...rest);
  };
  return { cache: { ...memory, set }, keys };
}

async function using<T>(cache: Cache, use: (supergraph: LoadedSupergraph) => Promise<T>, sdl = SDL): Promise<T> {
  const supergraph = await loadSupergraph(sdl, { sharedPlans: { cache, log } });
  try {
    return await use(supergraph);
  } finally {
    supergraph.unload();
  }
}

test('a plan that another process made is taken', async () => {
  const { cache, keys } = recorded();
  const plan = await using(cache, (supergraph) => supergraph.plan(QUERY));
  expect(plan.node?.kind).toBe('Fetch');
  const [key = ''] = keys;
  const marked = JSON.stringify(plan).replace('{name}', '{name __typename}');
  await cache.set(key, marked, 60_000);
  expect(JSON.stringify(await using(cache, (supergraph) => supergraph.plan(QUERY)))).toBe(marked);
});

test('another supergraph, another document: another plan', async () => {
  const { cache, keys } = recorded();
  await using(cache, (supergraph) => supergraph.plan(QUERY));
  await using(cache, (supergraph) => supergraph.plan('{ age }'));
  await using(cache, (supergraph) => supergraph.plan(QUERY), compose({ a: 'type Query { name: String }' }));
  expect(keys.size).toBe(3);
});

test.each(['', '{"kind":', '{"kind":"QueryPlan","node":{"kind":"Fetch"}}', '[]'])(
  'what is no plan (%j) is planned anew and replaced',
  async (garbage) => {
    const { cache, keys } = recorded();
    const plan = await using(cache, (supergraph) => supergraph.plan(QUERY));
    const [key = ''] = keys;
    await cache.set(key, garbage, 60_000);
    expect(await using(cache, (supergraph) => supergraph.plan(QUERY))).toEqual(plan);
    expect(JSON.parse((await cache.get(key)) ?? '')).toEqual(JSON.parse(JSON.stringify(plan)));
  },
);

test.each<[string, () => Promise<never>]>([
  ['that fails', () => Promise.reject(new Error('connection refused'))],
  ['that never answers', () => new Promise(() => undefined)],
])('a cache %s fails nothing', async (_name, away) => {
  const cache: Cache = { get: away, set: away, delete: away, close: away };
  expect((await using(cache, (supergraph) => supergraph.plan(QUERY))).node?.kind).toBe('Fetch');
});

if (redisMissing !== null) process.stderr.write(`Plans in Redis are not tested: ${redisMissing}.\n`);

test.skipIf(redisMissing !== null)('Redis is such a cache, and fails nothing when it is away', async () => {
  const server = await startRedis();
  const shared = await openShared(server.url, log);
  const { cache } = shared;
  const plan = await using(cache, (supergraph) => supergraph.plan(QUERY));
  expect(await using(cache, (supergraph) => supergraph.plan(QUERY))).toEqual(plan);
  await server.kill();
  expect(await using(cache, (supergraph) => supergraph.plan(QUERY))).toEqual(plan);
  await shared.close();
  await server.stop();
});
