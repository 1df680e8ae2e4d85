import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '@timbre/platform/logger';
import type { HotOperations } from './hot-operations.ts';

export interface KeptHotOperations {
  save(): Promise<void>;
  /** Stops saving by the clock. */
  stop(): void;
}

const SAVE_EVERY_MS = 30_000;
const KEPT_OPERATIONS = 100;

/** Keeps the busiest operations in a file, for the process that comes after this one. No file is no error. */
export async function keepHotOperations(hot: HotOperations, file: string, log: Logger): Promise<KeptHotOperations> {
  try {
    hot.restore(await readFile(file, 'utf8'));
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!absent) log.warn({ err: error, file }, 'the busiest operations cannot be read');
  }

  let saving = Promise.resolve();
  let warned = false;
  async function write(): Promise<void> {
    try {
      await mkdir(dirname(file), { recursive: true });
      const draft = `${file}.${process.pid}`;
      // Documents can hold literals that are nobody else's business.
      await writeFile(draft, hot.save(KEPT_OPERATIONS), { mode: 0o600 });
      await rename(draft, file);
    } catch (error) {
      if (!warned) log.warn({ err: error, file }, 'the busiest operations cannot be kept');
      warned = true;
    }
  }
  const save = () => (saving = saving.then(write));
  const timer = setInterval(() => void save(), SAVE_EVERY_MS).unref();
  return { save, stop: () => clearInterval(timer) };
}
