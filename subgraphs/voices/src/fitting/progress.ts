import { setTimeout as delay } from 'node:timers/promises';

export interface ProgressOptions {
  /** Stores the progress; false when nobody wants it any longer. */
  write: (progress: number) => Promise<boolean>;
  /** Called once `write` said so, or threw. */
  onEnd: (reason: unknown) => void;
  everyMs?: number;
}

export interface Progress {
  /** From 0 to 1. The first report is written at once, then the last one of every interval. */
  report(progress: number): void;
  /** Waits for the write that is under way; nothing is written afterwards. */
  stop(): Promise<void>;
}

/** The step below which a change is not worth a write and a hint to every follower. */
const STEP = 0.005;

export function createProgress({ write, onEnd, everyMs = 200 }: ProgressOptions): Progress {
  const stopped = new AbortController();
  let latest = 0;
  let written = -1;
  let writing: Promise<void> | null = null;

  async function drain(): Promise<void> {
    while (latest >= written + STEP && !stopped.signal.aborted) {
      written = latest;
      if (!(await write(written))) return onEnd(new Error('The voice is no longer being processed.'));
      await delay(everyMs, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
    return undefined;
  }

  return {
    report(progress) {
      latest = Math.max(latest, Math.min(1, progress));
      writing ??= drain()
        .catch(onEnd)
        .finally(() => {
          writing = null;
        });
    },
    async stop() {
      stopped.abort();
      await writing;
    },
  };
}
