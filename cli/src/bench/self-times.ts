import { basename } from 'node:path';
import type { CpuProfile } from './inspector.ts';

interface SelfTime {
  name: string;
  /** Of all time that was not idle, 0 to 1. */
  share: number;
}

const PRINTED = 30;

export function printSelfTimes(profiles: readonly CpuProfile[]): void {
  const rows = selfTimes(profiles)
    .slice(0, PRINTED)
    .map(({ name, share }) => `${(share * 100).toFixed(1).padStart(5)} %  ${name}`);
  console.log(`\nWhere our router's CPU time went, by function:\n${rows.join('\n')}`);
}

/** Where the time went, by function, not counting what a function calls; the largest first. */
function selfTimes(profiles: readonly CpuProfile[]): SelfTime[] {
  const times = new Map<string, number>();
  let busy = 0;
  for (const { nodes, samples, timeDeltas } of profiles) {
    const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
    for (const [index, id] of samples.entries()) {
      const name = names.get(id) ?? '';
      const time = timeDeltas[index] ?? 0;
      if (name === '(idle)') continue;
      busy += time;
      times.set(name, (times.get(name) ?? 0) + time);
    }
  }
  return [...times].map(([name, time]) => ({ name, share: time / busy })).toSorted((a, b) => b.share - a.share);
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const packaged = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  return `${name} ${packaged === undefined ? '' : `${packaged}/`}${basename(url)}:${lineNumber + 1}`;
}
