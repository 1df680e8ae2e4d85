import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquirePidLock } from './pid-lock.ts';

const module = new URL('pid-lock.ts', import.meta.url).href;
let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'timbre-lock-'));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true });
});

/** Acquires in a process of its own, holds it for a moment, and says how it went. */
async function contender(): Promise<string> {
  const program = `const { acquirePidLock } = await import(${JSON.stringify(module)});
    try { acquirePidLock(${JSON.stringify(dataDir)}); console.log('got it'); } catch (error) { console.log(error.message); }
    await new Promise((resolve) => setTimeout(resolve, 1500));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  return stdout.trim();
}

test('the lock is held until it is given back', async () => {
  const release = acquirePidLock(dataDir);
  expect(await contender()).toContain(`already running on ${dataDir} (process ${process.pid})`);
  release();
  expect(await contender()).toBe('got it');
});

test('the lock of a process that is gone is taken over, by one of many', async () => {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  await writeFile(join(dataDir, 'timbre.pid'), JSON.stringify({ pid: child.pid, startTime: '1' }));
  const outcomes = await Promise.all(Array.from({ length: 5 }, contender));
  expect(outcomes.filter((outcome) => outcome === 'got it')).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome.includes('already running'))).toHaveLength(4);
  expect(await readdir(dataDir)).toEqual(['timbre.pid']);
});

test.runIf(process.platform === 'linux')('a later process with the same number is not the holder', async () => {
  await writeFile(join(dataDir, 'timbre.pid'), JSON.stringify({ pid: process.ppid, startTime: '1' }));
  acquirePidLock(dataDir)();
  expect(await readdir(dataDir)).toEqual([]);
});

test('a damaged lock is replaced', async () => {
  await writeFile(join(dataDir, 'timbre.pid'), 'half a lo');
  acquirePidLock(dataDir);
  expect(await readFile(join(dataDir, 'timbre.pid'), 'utf8')).toContain(`"pid":${process.pid}`);
});
