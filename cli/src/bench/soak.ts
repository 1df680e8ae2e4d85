import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, runCommand } from '../run-command.ts';
import { countOf } from './count-of.ts';
import { withMixedLoad, type Mixed } from './mixed/with-mixed-load.ts';
import { requireTwoCores } from './pinned-process.ts';
import { residentBytes } from './process-usage.ts';
import { quantile } from './quantile.ts';
import { aligned } from './table.ts';

const LOAD = { queries: 8, mutations: 2, subscriptions: 100, visitors: 20, wrong: true };
const MINUTE_MS = 60_000;

/** `npm run bench -- soak`: whether the router's heap grows under a mixed load. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- soak [--minutes N]

Queries, mutations, subscriptions that stay, others that come and go, and requests that must be refused, all at once. At every
minute the router's heap after a full collection of garbage; at the end, how much it grew since the first.

  --minutes N   default 5`,
    args,
    options: { minutes: { type: 'string', default: '5' } },
    run: async ({ minutes }) => {
      requireTwoCores();
      await withMixedLoad(LOAD, (mixed) => measure(mixed, countOf('minutes', minutes)));
    },
  });
}

async function measure({ inspector, router, load }: Mixed, minutes: number): Promise<void> {
  const rows = [['minute', 'heap MB', 'RSS MB', 'requests', 'visits', 'events', 'wrong answers', 'p50 ms', 'p99 ms']];
  const heaps: number[] = [];
  for (let minute = 1; minute <= minutes; minute++) {
    await sleep(MINUTE_MS);
    await inspector.collectGarbage();
    const heap = (await inspector.heapBytes()) / 2 ** 20;
    heaps.push(heap);
    const { requests, visits, events, failed, failures, latencies } = await load.report();
    if (failed > 0) throw new CommandError(`${failed} requests or subscriptions failed:\n${failures.join('\n')}`);
    rows.push([
      String(minute),
      heap.toFixed(1),
      ((residentBytes(router.pid) ?? Number.NaN) / 2 ** 20).toFixed(0),
      String(requests),
      String(visits),
      String(events),
      String(failed),
      quantile(latencies, 0.5).toFixed(1),
      quantile(latencies, 0.99).toFixed(1),
    ]);
    console.error(`minute ${minute}: heap ${heap.toFixed(1)} MB after ${requests} requests and ${visits} visits`);
  }
  console.log(`\n${aligned(rows)}`);
  const growth = ((heaps.at(-1) ?? Number.NaN) / (heaps[0] ?? Number.NaN) - 1) * 100;
  console.log(`The heap changed by ${growth.toFixed(1)} % from the first minute to the last.`);
}
