import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { serveCommands } from '../graph/control.ts';
import { zipf } from '../zipf.ts';
import { seededRandom } from '../seeded-random.ts';
import { HttpPool } from '../http-pool.ts';
import { loadSettingsSchema, runSchema, type LoadResult } from './load.ts';
import { MIX } from './mix.ts';
import { seededPrincipalSchema } from './seed.ts';

// An open load: requests are sent when they are due by the clock, whatever became of those before. Argument: settings as JSON.
const settings = loadSettingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
const principals = z.array(seededPrincipalSchema).parse(JSON.parse(readFileSync(settings.principalsFile, 'utf8')));

/** An answer that takes longer is an error. */
const PATIENCE_MS = 10_000;
const KEPT_FAILURES = 10;
/** How an answer begins that refuses a request as there is too much to do. */
const OVERLOADED = '503 ';
const MAX_CONNECTIONS = 2_000;

const heads = principals.map(
  ({ token }) =>
    `authorization: Bearer ${token}\r\ncontent-type: application/json\r\naccept: application/json\r\n` +
    'apollographql-client-name: timbre-web\r\napollographql-client-version: 1.0.0\r\ncontent-length: ',
);
const operations = MIX.map((operation) => ({
  ...operation,
  body: `{"operationName":"${operation.name}","query":${JSON.stringify(operation.query)},"variables":`,
}));
const deck = operations.flatMap((operation, index) => Array.from({ length: operation.share }, () => index));

const pools = settings.urls.map((url) => new HttpPool(url, MAX_CONNECTIONS));

async function run(argument: unknown): Promise<LoadResult> {
  const { perSecond, warmSeconds, seconds, seed, maxP99Ms } = runSchema.parse(argument);
  const random = seededRandom(seed);
  const pick = (count: number): number => zipf(count, 1)(random());
  const latencies = operations.map(emptyLatencies);
  const failures: string[] = [];
  const timeline = Array.from({ length: warmSeconds + seconds }, () => ({
    latencies: emptyLatencies(),
    failed: 0,
    refused: 0,
  }));
  let failed = 0;
  let slow = 0;
  let pending = 0;
  let sent = 0;
  let allSent = false;
  const allAnswered = Promise.withResolvers<void>();

  const begun = performance.now();
  const counted = begun + warmSeconds * 1000;
  const send = (due: number): void => {
    const index = deck[Math.floor(random() * deck.length)] ?? 0;
    const who = Math.floor(random() * principals.length);
    const operation = operations[index];
    const principal = principals[who];
    const second = timeline[Math.floor((due - begun) / 1000)];
    if (operation === undefined || principal === undefined || second === undefined) return;
    const body = `${operation.body}${JSON.stringify(operation.variables(principal, pick))}}`;
    pending++;
    pools[sent++ % pools.length]?.post(`${heads[who]}${body.length}\r\n\r\n${body}`, (failure) => {
      const latency = performance.now() - due;
      if (due >= counted) {
        latencies[index]?.push(latency);
        if (maxP99Ms !== null && latency > maxP99Ms) slow++;
      }
      const reason = failure ?? (latency > PATIENCE_MS ? `answered after ${latency.toFixed(0)} ms` : null);
      if (reason !== null) {
        failed++;
        if (failure?.startsWith(OVERLOADED) === true) second.refused++;
        else second.failed++;
        if (failures.length < KEPT_FAILURES) failures.push(`${operation.name}: ${reason}`);
      } else {
        second.latencies.push(latency);
      }
      if (--pending === 0 && allSent) allAnswered.resolve();
    });
  };

  // Poisson arrivals: the gaps between them are distributed exponentially. Those that fall into the same millisecond are sent together.
  const end = counted + seconds * 1000;
  const isHopeless = () => maxP99Ms !== null && (failed > 0 || slow > (perSecond * seconds) / 100);
  let due = begun;
  const lastSent = Promise.withResolvers<void>();
  const arrive = (): void => {
    const now = performance.now();
    for (; due <= now && due < end; due -= (Math.log(1 - random()) / perSecond) * 1000) send(due);
    if (due < end && !isHopeless()) setTimeout(arrive, Math.ceil(due - now));
    else lastSent.resolve();
  };
  arrive();
  await lastSent.promise;
  allSent = true;
  if (pending === 0) allAnswered.resolve();
  await Promise.race([allAnswered.promise, sleep(PATIENCE_MS)]);
  const ended = performance.now();
  if (pending > 0) failures.push(`${pending} requests were not answered`);
  const connections = pools.reduce((sum, pool) => sum + pool.connections, 0);
  for (const pool of pools) pool.reset();
  return {
    ...summaryOf(latencies.flat()),
    seconds: (ended - counted) / 1000,
    failed: failed + pending,
    failures,
    connections,
    timeline: timeline.map((second) => {
      const { requests, ...latency } = summaryOf(second.latencies);
      return { answered: requests, refused: second.refused, failed: second.failed, ...latency };
    }),
    byOperation: Object.fromEntries(operations.map(({ name }, index) => [name, summaryOf(latencies[index] ?? [])])),
  };
}

const emptyLatencies = (): number[] => [];

function summaryOf(latencies: readonly number[]) {
  const sorted = Float64Array.from(latencies).toSorted();
  const at = (q: number) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return { requests: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) };
}

await serveCommands(settings.port, { ready: () => null, run });
