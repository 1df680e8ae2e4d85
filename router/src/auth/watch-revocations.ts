import { setTimeout as sleep } from 'node:timers/promises';
import { channels } from '@timbre/platform/bus/hints';
import type { Bus } from '@timbre/platform/bus/bus';
import type { Logger } from '@timbre/platform/logger';
import type { Authenticator } from './authenticator.ts';
import type { UsersClient } from './users-client.ts';

export interface RevocationWatchOptions {
  users: Pick<UsersClient, 'revocations'>;
  /** Null: nobody tells, and a revocation is noticed when the time has come. */
  bus: Bus | null;
  recheck: Authenticator['recheck'];
  log: Logger;
  /** How long a lost hint can stay unnoticed; default 10 s. */
  everyMs?: number;
}

export interface RevocationWatch {
  close(): Promise<void>;
}

const DEFAULT_EVERY_MS = 10_000;
const SUBSCRIBE_AGAIN_MS = 1_000;
/** However many hints come. */
const PAUSE_MS = 50;

/**
 * Asks users what was revoked: at the start, after each hint of the bus and each gap in it, and from time to time. A
 * message of the bus says nothing else, so that a forged one costs a question, and many forged ones cost few. What was
 * asked about is asked again where the answer did not arrive.
 */
export function watchRevocations(options: RevocationWatchOptions): RevocationWatch {
  const { users, bus, recheck, log, everyMs = DEFAULT_EVERY_MS } = options;
  const stop = new AbortController();
  const { signal } = stop;
  let since: string | null = null;
  let isWanted = true;
  let wake: (() => void) | null = null;
  const look = () => {
    isWanted = true;
    wake?.();
  };

  async function ask(): Promise<void> {
    try {
      const answer = await users.revocations(since);
      // Before the time is taken over: what cannot be looked at is told again.
      await recheck(answer.revocations);
      since = answer.now;
    } catch (error) {
      log.warn({ err: error }, 'what was revoked cannot be found out now');
    }
  }

  async function keepAsking(): Promise<void> {
    while (!signal.aborted) {
      if (!isWanted) {
        const timer = setTimeout(look, everyMs).unref();
        await new Promise<void>((resolve) => (wake = resolve));
        wake = null;
        clearTimeout(timer);
        continue;
      }
      isWanted = false;
      await ask();
      await sleep(PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async function subscribe(): Promise<(() => Promise<void>) | null> {
    if (bus === null) return null;
    while (!signal.aborted) {
      try {
        const unsubscribe = await bus.subscribe(channels.revocations, look, look);
        look();
        return unsubscribe;
      } catch (error) {
        log.warn({ err: error }, 'revocations are not heard of now');
        await sleep(SUBSCRIBE_AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
    return null;
  }

  const asking = keepAsking();
  const subscribed = subscribe();
  let unsubscribe: (() => Promise<void>) | null = null;
  void subscribed.then((end) => (unsubscribe = end));

  return {
    async close() {
      stop.abort();
      wake?.();
      // One that is still under way ends with the bus.
      await unsubscribe?.();
      await asking;
    },
  };
}
