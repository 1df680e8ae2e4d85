import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in ticks of 10 ms (USER_HZ, proc(5)). */
const TICKS_PER_SECOND = 100;

/**
 * CPU seconds, user and system, that a process and its living descendants have used; null where there is no `/proc`.
 */
export function cpuSeconds(pid: number): number | null {
  const parents = readProcessTable();
  if (!parents) return null;
  const family = new Set([pid]);
  // A child's pid may be smaller than its parent's after a wrap-around: repeat until nothing is added.
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const [child, { parent }] of parents) if (family.has(parent)) family.add(child);
  }
  return [...family].reduce((sum, member) => sum + (parents.get(member)?.ticks ?? 0), 0) / TICKS_PER_SECOND;
}

function readProcessTable(): Map<number, { parent: number; ticks: number }> | null {
  try {
    const table = new Map<number, { parent: number; ticks: number }>();
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const stat = readStat(entry);
      // The name, in parentheses, may hold anything; what follows it is fixed: state, ppid, …, utime (12th), stime (13th).
      const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields)
        table.set(Number(entry), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    }
    return table;
  } catch {
    return null;
  }
}

/** A process may end between the listing and the look at it. */
function readStat(pid: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
}
