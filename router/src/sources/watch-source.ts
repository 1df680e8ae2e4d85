import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Logger } from '@timbre/platform/logger';
import type { TextSource } from './text-source.ts';

export interface WatchOptions {
  log: Logger;
  /** Told of every text that is another than the last; what it rejects with is its own affair to tell. */
  onChange: (text: string) => Promise<void>;
  /** Between two looks at a URL, give or take a fifth; default 10 s. */
  pollMs?: number;
}

export interface SourceWatch {
  close(): void;
}

const POLL_MS = 10_000;
/** File systems that tell nothing (some network mounts) are looked at all the same. */
const FILE_POLL_MS = 30_000;
/** Whoever writes a file seldom does so in one go. */
const SETTLE_MS = 100;

/** Follows a source that has been read once. Its failures are logged, and what was read last stays. */
export function watchSource(source: TextSource, options: WatchOptions): SourceWatch {
  const { log, onChange, pollMs = source.file === null ? POLL_MS : FILE_POLL_MS } = options;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let due = Number.POSITIVE_INFINITY;
  let looking = false;
  let again = false;

  async function look(): Promise<void> {
    again = looking;
    if (looking) return;
    looking = true;
    try {
      const text = await source.read();
      if (text !== null && !closed) await onChange(text);
    } catch (error) {
      log.warn({ err: error, source: source.name }, 'what is watched could not be read again');
    }
    looking = false;
    if (again) void look();
  }

  /** One look at a time is due. What is due already is not put off: in a busy directory it never came. */
  function lookIn(ms: number): void {
    const at = Date.now() + ms;
    if (closed || at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(() => {
      due = Number.POSITIVE_INFINITY;
      void look().then(() => lookIn(jittered(pollMs)));
    }, ms).unref();
  }

  const stop = source.file === null ? () => undefined : watchFile(source.file, () => lookIn(SETTLE_MS), log);
  lookIn(jittered(pollMs));
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      stop();
    },
  };
}

/**
 * Watches directories, not the file: whoever replaces it by a rename leaves a watch on the file with the old one.
 * Where the path is a link (a ConfigMap's goes through `..data`, which is swapped), the directory it leads to counts too.
 */
function watchFile(file: string, onEvent: () => void, log: Logger): () => void {
  const watchers = new Map<string, FSWatcher>();
  let closed = false;

  function drop(directory: string): void {
    watchers.get(directory)?.close();
    watchers.delete(directory);
  }

  async function follow(): Promise<void> {
    const target = await realpath(file).catch(() => null);
    if (closed) return;
    const wanted = new Set([dirname(resolve(file)), ...(target === null ? [] : [dirname(target)])]);
    for (const directory of watchers.keys()) if (!wanted.has(directory)) drop(directory);
    for (const directory of wanted) {
      if (watchers.has(directory)) continue;
      try {
        const watcher = watch(directory, { persistent: false }, () => {
          onEvent();
          void follow();
        });
        watcher.on('error', () => drop(directory));
        watchers.set(directory, watcher);
      } catch (error) {
        log.warn({ err: error, directory }, 'a directory cannot be watched');
      }
    }
  }

  // What changed since it was read, and before anybody watched.
  void follow().then(onEvent);
  return () => {
    closed = true;
    for (const directory of watchers.keys()) drop(directory);
  };
}

function jittered(ms: number): number {
  return ms * (0.8 + Math.random() * 0.4);
}
