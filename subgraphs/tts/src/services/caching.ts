import type { CachingLimit } from '@timbre/platform/subgraph-server';
import type { GenerationRow } from '../rows.ts';

/** Changes are told (`notify`); should one not be heard of, it shows after this long. */
const IN_MOTION_SECONDS = 10;
/** What changes without being told: a place in the queue, which depends on others, and what becomes of chunks. */
const UNTOLD_SECONDS = 2;

/** Restricts how long a list of its owner's generations may be kept: it is told of each of them. */
export function limitList(caching: CachingLimit, rows: readonly GenerationRow[]): void {
  if (rows.some(isInMotion)) caching.restrict(IN_MOTION_SECONDS);
}

/** Restricts how long an answer with this generation may be kept, wherever it stands. Null: there is none, as yet or by now. */
export function limitGeneration(caching: CachingLimit, row: GenerationRow | null): void {
  if (row?.state === 'QUEUED') caching.restrict(UNTOLD_SECONDS);
  else if (row === null || isInMotion(row)) caching.restrict(IN_MOTION_SECONDS);
}

/** Restricts how long an answer with this generation's chunks may be kept. */
export function limitChunks(caching: CachingLimit, row: GenerationRow): void {
  if (isInMotion(row)) caching.restrict(UNTOLD_SECONDS);
}

/** Where one of the others begins again, that is told, too. */
function isInMotion({ state }: GenerationRow): boolean {
  return state === 'QUEUED' || state === 'RUNNING';
}
