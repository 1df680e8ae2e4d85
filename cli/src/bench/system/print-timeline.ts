import { aligned } from '../table.ts';
import { cpuSecondsOf } from '../process-usage.ts';
import type { LoadResult } from './load.ts';

const SECOND_MS = 1_000;

/** @returns what ends it, and tells the milliseconds of CPU time of each process in each second until then */
export function sampleCpu(pids: Record<string, number>): () => Record<string, number>[] {
  const names = Object.keys(pids);
  const rows: Record<string, number>[] = [];
  let before = cpuSecondsOf(Object.values(pids));
  const timer = setInterval(() => {
    const after = cpuSecondsOf(Object.values(pids));
    rows.push(Object.fromEntries(names.map((name, i) => [name, ((after[i] ?? 0) - (before[i] ?? 0)) * 1000])));
    before = after;
  }, SECOND_MS);
  return () => {
    clearInterval(timer);
    return rows;
  };
}

/** A line for each second: what became of the requests that were due in it, and what each process worked. */
export function printTimeline({ timeline }: LoadResult, cpu: readonly Record<string, number>[]): void {
  const names = Object.keys(cpu[0] ?? {});
  console.log(
    `\n${aligned([
      [
        'second',
        'answered',
        'refused',
        'failed',
        'p50 ms',
        'p99 ms',
        'p99.9 ms',
        ...names.map((name) => `${name} CPU ms`),
      ],
      ...timeline.map(({ answered, failed, refused, p50Ms, p99Ms, p999Ms }, second) => [
        String(second),
        String(answered),
        String(refused),
        String(failed),
        p50Ms.toFixed(1),
        p99Ms.toFixed(1),
        p999Ms.toFixed(1),
        ...names.map((name) => cpu[second]?.[name]?.toFixed(0) ?? ''),
      ]),
    ])}`,
  );
}
