import { basename } from 'node:path';
import type { CpuProfile } from './inspector.ts';

interface SelfTime {
  name: string;
  /** Of all time that was not idle, 0 to 1. */
  share: number;
}

const PRINTED = 30;
const PRINTED_PACKAGES = 15;

export function printSelfTimes(profiles: readonly CpuProfile[], whose = 'our router'): void {
  const rows = selfTimes(profiles)
    .slice(0, PRINTED)
    .map(({ name, share }) => `${(share * 100).toFixed(1).padStart(5)} %  ${name}`);
  console.log(`\nWhere the CPU time of ${whose} went, by function:\n${rows.join('\n')}`);
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

/** By package, what is native (sockets, hashes) counted with whoever called it. */
export function printPackageTimes({ nodes, samples, timeDeltas }: CpuProfile): void {
  const packages = new Map<number, string>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visit = (id: number, caller: string): void => {
    const node = byId.get(id);
    if (node === undefined) return;
    const own = packageOf(node.callFrame) ?? caller;
    packages.set(id, own);
    for (const child of node.children ?? []) visit(child, own);
  };
  visit(nodes[0]?.id ?? 0, 'none');
  const times = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of samples.entries()) {
    const name = packages.get(id) ?? '';
    const time = timeDeltas[index] ?? 0;
    if (name === '(idle)') continue;
    busy += time;
    times.set(name, (times.get(name) ?? 0) + time);
  }
  const rows = [...times]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, PRINTED_PACKAGES)
    .map(([name, time]) => `${((time / busy) * 100).toFixed(1).padStart(5)} %  ${name}`);
  console.log(`by package:\n${rows.join('\n')}`);
}

/** Null for what has no file. */
function packageOf({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): string | null {
  if (url === '') return functionName === '(idle)' || functionName === '(garbage collector)' ? functionName : null;
  if (url.startsWith('node:')) return url.replace(/\/.*/, '');
  return /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? /([^/]+\/src)\//.exec(url)?.[1] ?? basename(url);
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const packaged = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  return `${name} ${packaged === undefined ? '' : `${packaged}/`}${basename(url)}:${lineNumber + 1}`;
}
