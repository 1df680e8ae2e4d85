import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in ticks of 10 ms (USER_HZ, proc(5)). */
const TICKS_PER_SECOND = 100;

/**
 * CPU seconds, user and system, that a process, its living descendants, and those of their children that have ended, have used; null
 * where there is no `/proc`.
 */
export function cpuSeconds(pid: number): number | null {
  const family = familyOf(pid);
  return family && [...family.values()].reduce((sum, ticks) => sum + ticks, 0) / TICKS_PER_SECOND;
}

/** The same of several at one look; 0 where there is no `/proc`, or no such process. */
export function cpuSecondsOf(pids: readonly number[]): number[] {
  const table = readProcessTable();
  return pids.map((pid) => {
    let ticks = 0;
    for (const member of table === null ? [] : membersOf(pid, table)) ticks += table?.get(member)?.ticks ?? 0;
    return ticks / TICKS_PER_SECOND;
  });
}

/** Resident now, bytes, of a process and its living descendants; null where there is no `/proc`. */
export function residentBytes(pid: number): number | null {
  return memoryOf(pid, 'VmRSS');
}

/** The sum of what each of them had resident at its own highest. */
export function peakResidentBytes(pid: number): number | null {
  return memoryOf(pid, 'VmHWM');
}

function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number | null {
  const family = familyOf(pid);
  if (!family) return null;
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm');
  return [...family.keys()].reduce((sum, member) => {
    const kilobytes = line.exec(readProc(member, 'status') ?? '')?.[1];
    return sum + Number(kilobytes ?? 0) * 1024;
  }, 0);
}

/** A process and its living descendants, with the ticks of each. */
function familyOf(pid: number): Map<number, number> | null {
  const table = readProcessTable();
  if (!table) return null;
  return new Map([...membersOf(pid, table)].map((member) => [member, table.get(member)?.ticks ?? 0]));
}

type ProcessTable = ReadonlyMap<number, { parent: number; ticks: number }>;

function membersOf(pid: number, table: ProcessTable): Set<number> {
  const family = new Set([pid]);
  // A child's pid may be smaller than its parent's after a wrap-around: repeat until nothing is added.
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const [child, { parent }] of table) if (family.has(parent)) family.add(child);
  }
  return family;
}

function readProcessTable(): ProcessTable | null {
  try {
    const table = new Map<number, { parent: number; ticks: number }>();
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const stat = readProc(Number(entry), 'stat');
      // The name, in parentheses, may hold anything; what follows it is fixed: state, ppid, …, utime (12th), stime (13th), and
      // those of children that were waited for.
      const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (!fields) continue;
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      table.set(Number(entry), { parent: Number(fields[1]), ticks });
    }
    return table;
  } catch {
    return null;
  }
}

/** A process may end between the listing and the look at it. */
function readProc(pid: number, file: 'stat' | 'status'): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return null;
  }
}
