import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isAlive } from './pid-lock.ts';

const runFileSchema = z.object({
  /** The supervisor's. */
  pid: z.number().int(),
  /** The router's, without a path. */
  url: z.string(),
  databaseUrl: z.string(),
  services: z.record(z.string(), z.object({ pid: z.number().int(), port: z.number().int().nullable() })),
});

/** What runs on a data directory, for other commands to find; holds the database's password, so it is its owner's alone. */
export type RunFile = z.output<typeof runFileSchema>;

const pathIn = (dataDir: string) => join(dataDir, 'run.json');

export function writeRunFile(dataDir: string, content: RunFile): void {
  const temporary = `${pathIn(dataDir)}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, pathIn(dataDir));
}

export function removeRunFile(dataDir: string): void {
  rmSync(pathIn(dataDir), { force: true });
}

/** @returns null where nothing runs, or what ran is gone */
export function readRunFile(dataDir: string): RunFile | null {
  let text: string;
  try {
    text = readFileSync(pathIn(dataDir), 'utf8');
  } catch {
    return null;
  }
  const content = runFileSchema.parse(JSON.parse(text));
  return isAlive(content.pid) ? content : null;
}
