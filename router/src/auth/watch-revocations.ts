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
/** When there was no answer. */
const ASK_AGAIN_MS = 1_000;
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

  /** @returns whether there was an answer */
  async function ask(): Promise<boolean> {
    try {
      const answer = await users.revocations(since);
      // Of what was remembered before the first answer nobody can say what has become of it since.
      await recheck(since === null ? null : answer.revocations);
      since = answer.now;
      return true;
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'what was revoked cannot be found out now');
      return false;
    }
  }

  async function keepAsking(): Promise<void> {
    let waitMs = everyMs;
    while (!signal.aborted) {
      if (!isWanted) {
        const timer = setTimeout(look, waitMs).unref();
        await new Promise<void>((resolve) => (wake = resolve));
        wake = null;
        clearTimeout(timer);
        continue;
      }
      isWanted = false;
      waitMs = (await ask()) ? everyMs : Math.min(everyMs, ASK_AGAIN_MS);
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
