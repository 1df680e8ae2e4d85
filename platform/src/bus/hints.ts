import { isAborted } from '../deadline.ts';
import { onBeat } from './beats.ts';
import type { Bus } from './bus.ts';

export interface HintOptions {
  /** Ends the iteration. */
  signal: AbortSignal;
  /** How long a lost hint can stay unnoticed; default 15 s. */
  everyMs?: number;
}

/** Only a publisher that dies, or is cut off, between its commit and its message loses one: a bus that was away tells of the gap. */
const DEFAULT_EVERY_MS = 15_000;

/**
 * "Look again" signals for a channel: at once, after each message, after a reconnect of the bus,
 * and every `everyMs` milliseconds, many consumers in the same turn of the event loop: read through a DataLoader, and they
 * cost one query. Signals that arrive while the consumer is busy become one.
 *
 * The subscription stands before the first signal: whatever is committed after the consumer's
 * first read is followed by another signal.
 */
export async function* hints(bus: Bus, channel: string, options: HintOptions): AsyncGenerator<void, void, undefined> {
  const { signal, everyMs = DEFAULT_EVERY_MS } = options;
  if (signal.aborted) return;

  let pending = true;
  let wake: (() => void) | undefined;
  const hint = () => {
    pending = true;
    wake?.();
  };
  const onAbort = () => wake?.();

  signal.addEventListener('abort', onAbort, { once: true });
  const unsubscribe = await bus.subscribe(channel, hint, hint).catch((error: unknown) => {
    signal.removeEventListener('abort', onAbort);
    throw error;
  });
  const leaveBeat = onBeat(everyMs, hint);
  try {
    while (!isAborted(signal)) {
      if (pending) {
        pending = false;
        yield;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
    }
  } finally {
    leaveBeat();
    signal.removeEventListener('abort', onAbort);
    await unsubscribe();
  }
}

/** The channels and who writes them. */
export const channels = {
  voice: (voiceId: string) => `voice:${voiceId}`,
  generation: (generationId: string) => `generation:${generationId}`,
  quota: (userId: string) => `quota:${userId}`,
  /** From users: ask again what was revoked. */
  revocations: 'revocations',
  /** Whoever changes what a response cache may hold: platform/src/cache/invalidation.ts. */
  cacheInvalidations: 'cache.invalidate',
  /** Routers, of what they have heard of elsewhere or done. */
  cacheChanges: 'cache.changes',
} as const;
