import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../log.ts';
import { isAlive, processesIn, signal, startTime, waitUntil } from './processes.ts';

const launcherRecord = z.object({ pid: z.number().int(), startTime: z.string().nullable() });
const recordPath = (dataDir: string) => join(dataDir, 'postgres.json');

/** Notes who started the server, so that a later start can tell a running system from what a killed one left. */
export async function recordLauncher(dataDir: string): Promise<void> {
  const record = { pid: process.pid, startTime: await startTime(process.pid) };
  await writeFile(recordPath(dataDir), JSON.stringify(record), { mode: 0o644 });
}

/**
 * Ends what earlier servers on this cluster left behind, and returns when nothing is attached to it any more.
 * A whole server whose launcher was killed is shut down; backends whose postmaster was killed notice it by themselves
 * unless they are busy, and are ended after a second. A server whose launcher lives is somebody else's: throws.
 */
export async function clearLeftovers(dataDir: string, clusterDir: string, log: Log): Promise<void> {
  const postmaster = await postmasterPid(clusterDir);
  if (process.platform !== 'linux') return; // PostgreSQL's own interlock refuses; the launcher waits for it
  const running = await processesIn(clusterDir);
  if (running.length === 0) {
    // The number may belong to an unrelated process by now, for which PostgreSQL would refuse to start.
    if (postmaster !== null && isAlive(postmaster)) await rm(join(clusterDir, 'postmaster.pid'), { force: true });
    return;
  }
  const gone = async () => (await processesIn(clusterDir)).length === 0;
  if (postmaster !== null && running.includes(postmaster)) {
    const launcher = await livingLauncher(dataDir);
    if (launcher !== null) {
      throw new Error(
        `A database server (process ${postmaster}, started by process ${launcher}) already uses ${clusterDir}`,
      );
    }
    log.warn({ pid: postmaster }, 'shutting down a database server whose launcher was killed');
    signal(postmaster, 'SIGINT');
    if (await waitUntil(gone, 10_000)) return;
    signal(postmaster, 'SIGQUIT');
  }
  if (await waitUntil(gone, 1000)) return;
  for (const name of ['SIGQUIT', 'SIGKILL'] as const) {
    const pids = await processesIn(clusterDir);
    log.warn({ pids, signal: name }, 'ending database processes without a server');
    for (const pid of pids) signal(pid, name);
    if (await waitUntil(gone, 5000)) return;
  }
  throw new Error(
    `Processes ${(await processesIn(clusterDir)).join(', ')} still use ${clusterDir} and cannot be ended`,
  );
}

async function livingLauncher(dataDir: string): Promise<number | null> {
  const text = await readFile(recordPath(dataDir), 'utf8').catch(() => null);
  if (text === null) return null;
  const { pid, startTime: started } = launcherRecord.parse(JSON.parse(text));
  return isAlive(pid) && (await startTime(pid)) === started ? pid : null;
}

async function postmasterPid(clusterDir: string): Promise<number | null> {
  const text = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8').catch(() => null);
  const pid = Number(text?.split('\n')[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : null;
}
