import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@timbre/platform/bus/bus';
import { channels } from '@timbre/platform/bus/hints';
import type { Logger } from '@timbre/platform/logger';

export interface RevocationRelay {
  close(): Promise<void>;
}

const TRY_AGAIN_MS = 1_000;

/**
 * The database tells on its own channel of what was revoked, by hand too; routers listen elsewhere where there is Redis.
 * Neither bus is closed with it. Any number of processes may do so: routers ask once for many hints.
 */
export function relayRevocations({ from, to, log }: { from: Bus; to: Bus; log: Logger }): RevocationRelay {
  const stop = new AbortController();
  const { signal } = stop;
  const tell = () => void to.publish(channels.revocations, '');

  async function listen(): Promise<(() => Promise<void>) | null> {
    while (!signal.aborted) {
      try {
        return await from.subscribe(channels.revocations, tell, tell);
      } catch (error) {
        log.warn({ err: error }, 'what the database says of revocations is not heard now');
        await sleep(TRY_AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
    return null;
  }

  let unsubscribe: (() => Promise<void>) | null = null;
  void listen().then((end) => (unsubscribe = end));
  return {
    async close() {
      stop.abort();
      // One that is still under way ends with the bus.
      await unsubscribe?.();
    },
  };
}
