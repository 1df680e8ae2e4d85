import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import type { Fetched } from './cache-view.ts';

/** What an operation's fetches together say of its response. */
export interface CacheSummary {
  note: (fetched: Fetched) => void;
  /** With what the client is told of keeping it, if it may. */
  describe(outcome: ExecutionOutcome, told: ToldTo): ExecutionOutcome;
}

export interface ToldTo {
  /** The request bore something by which its sender is known, or may be, or was answered by what else is known of it. */
  isForOne: boolean;
  /** Names of headers on which answers may depend. */
  vary: readonly string[];
  /** Whether each fetch is told of. */
  debug: boolean;
}

export function createCacheSummary(): CacheSummary {
  const fetches: Fetched[] = [];
  return {
    note: (fetched) => void fetches.push(fetched),
    describe(outcome, told) {
      const headers = headersOf(fetches, outcome, told);
      if (headers === null && !told.debug) return outcome;
      return {
        ...outcome,
        ...(headers === null ? {} : { headers: { ...outcome.headers, ...headers } }),
        ...(told.debug ? { extensions: { ...outcome.extensions, cache: fetches.map(shown) } } : {}),
      };
    },
  };
}

/** Null where the response is not to be kept by anybody. */
function headersOf(
  fetches: readonly Fetched[],
  { errors, incremental }: ExecutionOutcome,
  { isForOne, vary }: ToldTo,
): Record<string, string> | null {
  if (errors !== undefined || incremental !== undefined || fetches.length === 0) return null;
  let isPublic = !isForOne;
  let madeAt = Infinity;
  let freshUntil = Infinity;
  for (const { kept } of fetches) {
    if (kept === null) return null;
    isPublic &&= kept.isPublic;
    madeAt = Math.min(madeAt, kept.madeAt);
    freshUntil = Math.min(freshUntil, kept.freshUntil);
  }
  const now = Date.now();
  const age = Math.max(0, Math.floor((now - madeAt) / 1_000));
  // What is left of it is counted by the clients from `Age` on.
  const maxAge = age + Math.max(0, Math.floor((freshUntil - now) / 1_000));
  return {
    // Nobody tells a browser of a change, which its user may have made: it asks whether what it has still holds.
    'cache-control': isPublic ? `public, max-age=${maxAge}` : 'private, no-cache',
    age: String(age),
    vary: vary.join(', '),
  };
}

function shown({ subgraph, kind, status, kept, tags }: Fetched): Record<string, unknown> {
  const now = Date.now();
  return {
    subgraph,
    kind,
    status,
    scope: kept === null ? null : kept.isPublic ? 'PUBLIC' : 'PRIVATE',
    ageMs: kept === null ? null : Math.round(now - kept.madeAt),
    ttlMs: kept === null ? null : Math.round(kept.freshUntil - now),
    tags: tags(),
  };
}
