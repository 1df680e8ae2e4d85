import { spawn } from 'node:child_process';
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';

/** Name of the superuser and of the database. */
export const TIMBRE = 'timbre';

/**
 * On Linux a server below a private parent directory starts there (the working directory is set before the uid) and
 * goes on naming it through /proc, which asks for no permission on the way. Elsewhere the path must be reachable.
 */
export const clusterPath = (clusterDir: string) => (process.platform === 'linux' ? '/proc/self/cwd' : clusterDir);

/** How every PostgreSQL program is started: in the cluster, as its account, in no locale but C. */
export function spawnOptions(clusterDir: string, account: Account) {
  const identity = account.uid === null ? {} : { uid: account.uid, gid: account.gid };
  return { ...identity, cwd: clusterDir, env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' } };
}

/** "18" for an existing cluster, null where there is none. Throws a message for people when it is another version's. */
export async function checkVersion(clusterDir: string, { major }: Pick<Binaries, 'major'>): Promise<string | null> {
  const found = (await readFile(join(clusterDir, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
  if (found === '') return null;
  if (found !== major) {
    throw new Error(
      `${clusterDir} was made by PostgreSQL ${found}, and this is PostgreSQL ${major}, which cannot read it. ` +
        `Dump it with the release of Timbre that made it (pg_dump of PostgreSQL ${found} or later), ` +
        'then start with another DATA_DIR and restore there; or move the directory away to begin anew.',
    );
  }
  return found;
}

/** Makes the cluster beside its final place and moves it there whole, so that a killed start leaves no half of one. */
export async function createCluster(clusterDir: string, binaries: Binaries, account: Account, fsync: boolean) {
  const staging = `${clusterDir}.new`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { mode: 0o700 });
  if (account.uid !== null) await chown(staging, account.uid, account.gid);
  await run(binaries.initdb, staging, account, [
    `--pgdata=${clusterPath(staging)}`,
    `--username=${TIMBRE}`,
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--auth=reject', // pg_hba.conf is written before each start
    ...(fsync ? [] : ['--no-sync']),
  ]);
  await singleUser(binaries, staging, account, `create database ${TIMBRE}`);
  await rename(staging, clusterDir);
}

/** Needs no running server and no password, so it also mends a lost password file. `password` is hexadecimal. */
export async function setPassword(binaries: Binaries, clusterDir: string, account: Account, password: string) {
  await singleUser(binaries, clusterDir, account, `alter role ${TIMBRE} password '${password}'`);
}

export async function writeAccessRules(clusterDir: string, account: Account): Promise<void> {
  const rules = ['127.0.0.1/32', '::1/128'].map((address) => `host all all ${address} scram-sha-256\n`).join('');
  const file = join(clusterDir, 'pg_hba.conf');
  await writeFile(file, rules, { mode: 0o600 });
  if (account.uid !== null) await chown(file, account.uid, account.gid);
}

async function singleUser(binaries: Binaries, clusterDir: string, account: Account, statement: string): Promise<void> {
  const directory = clusterPath(clusterDir);
  await run(
    binaries.postgres,
    clusterDir,
    account,
    ['--single', '-c', 'exit_on_error=on', '-D', directory, 'postgres'],
    `${statement}\n`,
  );
}

async function run(binary: string, cwd: string, account: Account, args: string[], input = ''): Promise<void> {
  if (!(await stat(cwd)).isDirectory()) throw new Error(`${cwd} is not a directory`);
  const child = spawn(binary, args, { ...spawnOptions(cwd, account), stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  child.stdin.on('error', () => {}); // it may be gone before it has read everything: its exit code says so
  child.stdin.end(input);
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve(exitCode ?? signal ?? -1));
  });
  if (code === 0) return;
  throw new Error(`${binary} ended with ${code}${reachabilityHint()}:\n${output.trim()}`);
}

const reachabilityHint = () =>
  process.platform === 'linux'
    ? ''
    : ' (on this system every directory above DATA_DIR must be searchable by the account it runs as)';
