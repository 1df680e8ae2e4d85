import { rename, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, runCommand } from '../run-command.ts';
import { countOf } from './count-of.ts';
import { composeBenchGraph } from './graph/schemas.ts';
import { withMixedLoad, type Mixed } from './mixed/with-mixed-load.ts';
import { requireTwoCores } from './pinned-process.ts';
import { residentBytes } from './process-usage.ts';
import { quantile } from './quantile.ts';
import { aligned } from './table.ts';

const LOAD = { queries: 8, mutations: 2, subscriptions: 500, visitors: 0, wrong: false };
/** After which everything that a reload makes once has been made. */
const SETTLED_AFTER = 10;
const EVERY = 10;
const POLL_MS = 20;
const RELOAD_MS = 60_000;
/** For events that are under way when the last was emitted. */
const LAST_EVENTS_MS = 10_000;
const RELOADS = 'timbre_router_reloads_total';

interface Memory {
  /** Before the collection. */
  asIsMb: number;
  residentMb: number;
  heapMb: number;
}

/** `npm run bench -- reload`: what clients notice while the supergraph is replaced again and again. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- reload [--reloads N]

Replaces the supergraph file of a running router, one reload after the other, under ${LOAD.queries} queries and ${LOAD.mutations} mutations at once
and ${LOAD.subscriptions} subscriptions with an event a second each, numbered. Prints requests that failed, events that were lost or came
twice, and the router's memory after the tenth reload and at the end, as it is and after a full collection of garbage.

  --reloads N   default 200`,
    args,
    options: { reloads: { type: 'string', default: '200' } },
    run: async ({ reloads }) => {
      requireTwoCores();
      const count = countOf('reloads', reloads);
      if (count <= SETTLED_AFTER) throw new CommandError(`--reloads must be more than ${SETTLED_AFTER}.`, 2);
      await withMixedLoad(LOAD, (mixed) => measure(mixed, count));
    },
  });
}

async function measure(mixed: Mixed, count: number): Promise<void> {
  const { load, router, subgraphs, supergraphFile } = mixed;
  // The router began with none of these.
  const variants = ['a', 'b', 'c'].map((name) => composeBenchGraph(subgraphs.port, `extra_${name}`));
  const durations: number[] = [];
  const answers: number[] = [];
  let settled: Memory | null = null;
  for (let index = 1; index <= count; index++) {
    const begun = performance.now();
    await replaceFile(supergraphFile, variants[index % variants.length] ?? '');
    await untilReloaded(mixed, index);
    durations.push(performance.now() - begun);
    if (index === SETTLED_AFTER) settled = await memoryOf(mixed);
    if (index % EVERY === 0) {
      const { requests, failed, events, latencies } = await load.report();
      answers.push(...latencies);
      const [p99, resident] = [quantile(latencies, 0.99), megabytes(residentBytes(router.pid))];
      console.error(
        `${index} reloads: ${requests} requests, p99 ${p99.toFixed(0)} ms, ${failed} failed, ` +
          `${events} events, ${resident.toFixed(0)} MB`,
      );
    }
  }
  const emitted = await subgraphs.stopSpread();
  for (const since = performance.now(); performance.now() - since < LAST_EVENTS_MS;) {
    if ((await load.report()).taken >= emitted) break;
    await sleep(POLL_MS);
  }
  const end = await memoryOf(mixed);
  const report = await load.report();
  for (const failure of report.failures) console.error(failure);
  const lost = Math.max(report.lost, emitted - (report.taken - report.repeated));
  const rows = [
    ['reloads', String(count)],
    ['seconds for one, p50, p99 and longest', [0.5, 0.99, 1].map((q) => seconds(durations, q)).join(', ')],
    ['requests', String(report.requests)],
    ['seconds for an answer, p50, p99 and longest', [0.5, 0.99, 1].map((q) => seconds(answers, q)).join(', ')],
    ['failed', String(report.failed)],
    ['events emitted', String(emitted)],
    ['lost', String(lost)],
    ['twice', String(report.repeated)],
    [`RSS after ${SETTLED_AFTER} and at the end, MB`, memories(settled, end, 'asIsMb')],
    ['RSS after a collection, MB', memories(settled, end, 'residentMb')],
    ['heap after a collection, MB', memories(settled, end, 'heapMb')],
  ];
  console.log(`\n${aligned(rows)}`);
}

/** As a deployment does it: nobody ever sees half a file. */
async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

async function untilReloaded({ router }: Mixed, count: number): Promise<void> {
  for (const since = performance.now(); ;) {
    if ((await router.metric(RELOADS, 'outcome="swapped"')) >= count) return;
    if (performance.now() - since > RELOAD_MS) throw new CommandError('The router did not take the new supergraph.');
    await sleep(POLL_MS);
  }
}

async function memoryOf({ inspector, router }: Mixed): Promise<Memory> {
  const asIsMb = megabytes(residentBytes(router.pid));
  await inspector.collectGarbage();
  return { asIsMb, residentMb: megabytes(residentBytes(router.pid)), heapMb: megabytes(await inspector.heapBytes()) };
}

function megabytes(bytes: number | null): number {
  return (bytes ?? Number.NaN) / 2 ** 20;
}

function seconds(milliseconds: readonly number[], q: number): string {
  return (quantile(milliseconds, q) / 1000).toFixed(3);
}

function memories(before: Memory | null, after: Memory, field: keyof Memory): string {
  const first = before?.[field] ?? Number.NaN;
  const change = (after[field] / first - 1) * 100;
  return `${first.toFixed(0)}, ${after[field].toFixed(0)} (${change < 0 ? '' : '+'}${change.toFixed(1)} %)`;
}
