import { spawnSync } from 'node:child_process';
import { redisMissing, startRedis } from '@timbre/platform/testing/redis';
import { CommandError, runCommand } from '../run-command.ts';
import { checkFreshness } from './cache/check-freshness.ts';
import { createItemClient, type ItemClient } from './cache/item-client.ts';
import type { CachedRouter } from './cache/start-router.ts';
import { withItems, type Items } from './cache/with-items.ts';
import { countOf } from './count-of.ts';
import { requireTwoCores } from './pinned-process.ts';
import { cpuSeconds } from './process-usage.ts';
import { quantile } from './quantile.ts';
import { seededRandom } from './seeded-random.ts';
import { aligned } from './table.ts';
import { zipf } from './zipf.ts';

const LOAD_CORE = 1;
const LANES = 32;
/** Requests before a load is measured: then most of what it will ask for has been asked for. */
const WARM_REQUESTS_AN_ITEM = 3;
const WARM_SECONDS = 3;
const SHARE_OF_WRITES = 0.2;
/** Who write: what they see is never older than what they wrote. */
const SHARE_OF_WRITERS = 0.1;
/** As whoever runs such a graph would declare it: a write changes the item that it returns, in both subgraphs, and nothing else. */
const REACHES = { writeItem: { returnedOnly: true } };
const LOOKUPS = 'timbre_router_response_cache_lookups_total';

/** `npm run bench -- cache`: what the response cache saves, and that it never shows people less than they have written. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- cache [--seconds S] [--items N] [--reads N]

Items of two subgraphs over PostgreSQL, asked for by 200 people with Zipf's popularity (exponent 1), ${LANES} requests at once:
reads alone, then four reads to a write, all writes by a tenth of the people. Routers have it declared that a write changes nothing
but the item that it returns (responseCache.mutations: returnedOnly), which the check of what is stale goes by, too. With the response cache off, in the router's process, and on Redis where a redis-server
is on PATH. The router has one core, all else the other. Then people write items and read each at once, on Redis from two
routers: a read that is older than what they wrote fails the bench. CPU time is told a request: of the router, and of all that takes
part, this load among it; and how much of its core the router had. A quick look: --seconds 5 --items 1000 --reads 5000

  --seconds S   of each load, default 15
  --items N     default 10000
  --reads N     after a write to check, of each kind of cache, default 100000`,
    args,
    options: {
      seconds: { type: 'string', default: '15' },
      items: { type: 'string', default: '10000' },
      reads: { type: 'string', default: '100000' },
    },
    run: async (values) => {
      const seconds = countOf('seconds', values.seconds);
      const reads = countOf('reads', values.reads);
      const count = countOf('items', values.items);
      requireTwoCores();
      // What is started from here on inherits it.
      spawnSync('taskset', ['-a', '-cp', String(LOAD_CORE), String(process.pid)]);
      const redis = redisMissing === null ? await startRedis() : null;
      if (redisMissing !== null) console.error(`Without Redis: ${redisMissing}.`);
      try {
        await withItems(count, (items) => measure(items, { seconds, reads, count, redisUrl: redis?.url ?? null }));
      } finally {
        await redis?.stop();
      }
    },
  });
}

const COLUMNS =
  'load,cache,requests/s,by off,p50 ms,p99 ms,hits,calls/request,calls saved,router ms,all ms,CPU by off,router core'.split(
    ',',
  );

interface Plan {
  seconds: number;
  reads: number;
  /** Of items. */
  count: number;
  redisUrl: string | null;
}

interface Measured {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** 0 to 1. */
  hits: number;
  calls: number;
  /** Milliseconds of CPU time a request: of the router, and of everything, this load and PostgreSQL among it. */
  routerMs: number;
  allMs: number;
}

async function measure(items: Items, { seconds, reads, count, redisUrl }: Plan): Promise<void> {
  const client = createItemClient(items.tokens);
  const kinds = [
    { name: 'off', caches: false, redisUrl: null },
    { name: 'in process', caches: true, redisUrl: null, mutations: REACHES },
    ...(redisUrl === null ? [] : [{ name: 'on Redis', caches: true, redisUrl, mutations: REACHES }]),
  ];
  const loads = [
    { name: 'reads', writes: 0 },
    { name: '4 reads to a write', writes: SHARE_OF_WRITES },
  ];
  const table = [COLUMNS];
  const off = new Map<string, Measured>();
  const staleness: string[] = [];
  let stale = 0;
  for (const kind of kinds) {
    const router = await items.startRouter(kind);
    const started = [router];
    try {
      for (const load of loads) {
        await measureLoad(items, {
          client,
          router,
          count,
          ...(kind.caches ? { requests: WARM_REQUESTS_AN_ITEM * count } : { seconds: WARM_SECONDS }),
          writes: load.writes,
        });
        const measured = await measureLoad(items, { client, router, count, seconds, writes: load.writes });
        const before = off.get(load.name) ?? measured;
        off.set(load.name, before);
        const saved = 1 - measured.calls / before.calls;
        table.push([
          load.name,
          kind.name,
          measured.perSecond.toFixed(0),
          `× ${(measured.perSecond / before.perSecond).toFixed(2)}`,
          measured.p50Ms.toFixed(1),
          measured.p99Ms.toFixed(1),
          `${(measured.hits * 100).toFixed(1)} %`,
          measured.calls.toFixed(3),
          `${(saved * 100).toFixed(1)} %`,
          measured.routerMs.toFixed(3),
          measured.allMs.toFixed(3),
          `÷ ${(before.allMs / measured.allMs).toFixed(2)}`,
          `${((measured.routerMs * measured.perSecond) / 10).toFixed(0)} %`,
        ]);
        console.error(table.at(-1)?.join('  '));
      }
      if (!kind.caches) continue;
      if (kind.redisUrl !== null) started.push(await items.startRouter(kind));
      const found = await checkFreshness({
        client,
        routers: started,
        people: items.tokens.length,
        items: count,
        reads,
      });
      stale += found;
      staleness.push(`${kind.name}, ${started.length === 1 ? 'one router' : 'two routers'}: ${found} of ${reads}`);
      console.error(`stale reads after a write, ${staleness.at(-1)}`);
    } finally {
      for (const { program } of started) await program.stop();
    }
  }
  console.log(`\n${aligned(table)}\n\nStale reads after a write:\n${staleness.join('\n')}`);
  if (stale > 0) throw new CommandError(`${stale} reads were older than what their reader had written.`);
}

interface LoadOptions {
  client: ItemClient;
  router: CachedRouter;
  /** Of items. */
  count: number;
  seconds?: number;
  requests?: number;
  /** Their share, 0 to 1. */
  writes: number;
}

async function measureLoad(
  items: Items,
  { client, router, count, seconds = Infinity, requests = Infinity, writes }: LoadOptions,
): Promise<Measured> {
  const rank = zipf(count, 1);
  const latencies: number[] = [];
  const lookups = async () => ({
    all: await router.metric(LOOKUPS),
    hits: await router.metric(LOOKUPS, 'outcome="hit"'),
  });
  // All that takes part was started from here.
  const used = () => [router.program.pid, process.pid].map((pid) => cpuSeconds(pid) ?? Number.NaN);
  const before = await lookups();
  await items.takeCalls();
  const usedBefore = used();
  const begun = performance.now();
  let sent = 0;
  const lane = (_: unknown, seed: number): Promise<void> => {
    const random = seededRandom(seed + Math.floor(begun));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let sentAt = begun;
    const next = (): void => {
      sentAt = performance.now();
      if (sent >= requests || sentAt - begun >= seconds * 1000) {
        resolve();
        return;
      }
      sent++;
      const isWrite = random() < writes;
      const who = Math.floor(random() * items.tokens.length * (isWrite ? SHARE_OF_WRITERS : 1));
      client.send(router.pool, isWrite ? 'write' : 'read', who, rank(random()), answered);
    };
    const answered = (failure: string | null): void => {
      latencies.push(performance.now() - sentAt);
      if (failure === null) next();
      else reject(new CommandError(`A request failed: ${failure}`));
    };
    next();
    return promise;
  };
  await Promise.race([Promise.all(Array.from({ length: LANES }, lane)), router.program.failed]);
  const elapsed = (performance.now() - begun) / 1000;
  const usedAfter = used();
  const calls = await items.takeCalls();
  const after = await lookups();
  const [routerMs = Number.NaN, allMs = Number.NaN] = usedAfter.map(
    (cpu, index) => ((cpu - (usedBefore[index] ?? 0)) * 1000) / latencies.length,
  );
  return {
    routerMs,
    allMs,
    perSecond: latencies.length / elapsed,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    hits: after.all === before.all ? 0 : (after.hits - before.hits) / (after.all - before.all),
    calls: calls / latencies.length,
  };
}
