import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { installedPackage, usableBinaries } from './binaries.ts';
import { processesIn, startTime } from './processes.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './start.ts';

const isLinux = process.platform === 'linux';
const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };
let home: string;
const servers: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'timbre-embedded-')); // mode 0700, as a home directory may have
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await rm(home, { recursive: true, force: true });
});

async function started(dataDir = join(home, 'data'), port?: number): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, fsync: false, ...(port === undefined ? {} : { port }) });
  servers.push(server);
  return server;
}

async function query(url: string, text: string): Promise<unknown[][]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
    return rows;
  } finally {
    await client.end();
  }
}

/** Another process that starts the server, optionally as another user. */
async function launcher(dataDir: string, identity: { uid?: number; gid?: number } = {}) {
  const script = fileURLToPath(new URL('launcher.fixture.ts', import.meta.url));
  const child = spawn(process.execPath, [script, dataDir], {
    ...identity,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the launcher ended'))),
  ]);
  return { child, ...z.object({ pid: z.number(), url: z.string() }).parse(JSON.parse(String(line))) };
}

describe('the embedded server', () => {
  test(`runs as ${isRoot ? 'root (the server as nobody)' : 'this user'} below a 0700 directory, on loopback, with a password`, async () => {
    expect((await stat(home)).mode & 0o777).toBe(0o700);
    const { url, pid } = await started();
    const settings = await query(
      url,
      `select current_setting('server_version_num')::int / 10000, pg_encoding_to_char(encoding), datlocale,
        current_setting('unix_socket_directories') from pg_database where datname = current_database()`,
    );
    expect(settings).toEqual([[18, 'UTF8', 'C.UTF-8', '']]);
    const owner = (await stat(join(home, 'data/postgres'))).uid;
    expect(owner).not.toBe(0);
    expect(await uidOf(pid)).toBe(owner);

    await expect(query(url.replace(/:[0-9a-f]+@/, ':wrong@'), 'select 1')).rejects.toThrow('password authentication');
    expect((await stat(join(home, 'data/keys/postgres'))).mode & 0o777).toBe(0o600);
  });

  test('listens on loopback only', async (context) => {
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((i) => i?.internal === false && i.family === 'IPv4');
    context.skip(outside === undefined, 'this machine has no other address');
    const { port } = await started();
    await expect(once(connect(port, outside?.address), 'connect')).rejects.toThrow('ECONNREFUSED');
  });

  test('keeps data over a restart, on another port or the same, and stop() leaves no process', async () => {
    const first = await started();
    await query(first.url, 'create table kept (n int); insert into kept values (7)');
    await first.stop();
    expect(await first.exited).toEqual({ code: 0, signal: null });
    expect(await processesIn(join(home, 'data/postgres'))).toEqual([]);
    const second = await started(undefined, first.port);
    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'select n from kept')).toEqual([[7]]);
  });

  test.skipIf(!isRoot)('works for an unprivileged user', async (context) => {
    const readable = (await reachable(import.meta.filename)) && (await reachable(process.execPath));
    context.skip(!readable, 'nobody cannot read this checkout, and so cannot start a process from it');
    await chown(home, NOBODY.uid, NOBODY.gid);
    const { child, url, pid } = await launcher(join(home, 'data'), NOBODY);
    expect(await query(url, 'select 1')).toEqual([[1]]);
    child.stdin?.end();
    await once(child, 'exit');
    expect(await startTime(pid)).toBeNull();
    // What that user made, root can go on with, as that user.
    const server = await started();
    expect(await query(server.url, 'select 1')).toEqual([[1]]);
  });

  test.skipIf(!isLinux)('recovers from kill -9 of the server, waiting for backends that are still busy', async () => {
    const first = await started();
    await query(first.url, 'create table kept (n int)');
    await query(first.url, 'insert into kept values (1)');
    const busy = query(first.url, 'select count(*) from generate_series(1, 400000000)').catch(() => 'lost');
    await expect
      .poll(
        async () =>
          await query(first.url, `select 1 from pg_stat_activity where query like '%40000000_)' and state = 'active'`),
      )
      .toHaveLength(1);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    expect(await processesIn(join(home, 'data/postgres'))).not.toEqual([]);
    const second = await started();
    expect(await query(second.url, 'select n from kept')).toEqual([[1]]);
    expect(await busy).toBe('lost');
  });

  test.skipIf(!isLinux)('takes over from a launcher that was killed, but not from one that lives', async () => {
    const { child, pid, url } = await launcher(join(home, 'data'));
    await query(url, 'create table kept (n int)');
    await expect(started()).rejects.toThrow(`process ${child.pid}`);
    expect(await query(url, 'select 1')).toEqual([[1]]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await startTime(pid)).not.toBeNull();
    const server = await started();
    expect(await startTime(pid)).toBeNull();
    expect(await query(server.url, 'select n from kept')).toEqual([]);
  });

  test('does not read another major version, and says what to do', async () => {
    await mkdir(join(home, 'data/postgres'), { recursive: true });
    await writeFile(join(home, 'data/postgres/PG_VERSION'), '15\n');
    await expect(started()).rejects.toThrow(/made by PostgreSQL 15, and this is PostgreSQL 18.*pg_dump/);
  });

  test('mends a lost password and finishes a creation that was cut short', async () => {
    await mkdir(join(home, 'data/postgres.new/base'), { recursive: true });
    const first = await started();
    await first.stop();
    await rm(join(home, 'data/keys'), { recursive: true });
    const second = await started();
    expect(second.url.split('@')[0]).not.toBe(first.url.split('@')[0]);
    expect(await query(second.url, 'select 1')).toEqual([[1]]);
  });
});

describe.skipIf(!isLinux)('its binaries', () => {
  /** An installation that nobody else can read and whose install script did not run. */
  async function privateInstallation() {
    const { root, version } = installedPackage();
    await cp(join(root, 'native'), join(home, 'private/native'), { recursive: true, verbatimSymlinks: true });
    for (const entry of await readdir(join(home, 'private/native/lib'), { withFileTypes: true })) {
      if (entry.isSymbolicLink()) await rm(join(entry.parentPath, entry.name));
    }
    return { root: join(home, 'private'), version };
  }
  const account = isRoot ? { name: 'nobody', ...NOBODY } : ({ name: 'us', uid: null, gid: null } as const);

  test('are copied to where they can be run, once, and again when a cleaner took parts', async () => {
    const installed = await privateInstallation();
    const parent = await mkdtemp(join(tmpdir(), 'timbre-cache-'));
    await chmod(parent, 0o755);
    const first = await usableBinaries(account, installed, [parent]);
    expect(first.postgres).toContain(parent);
    const copied = await stat(first.postgres);
    expect((await stat((await usableBinaries(account, installed, [parent])).postgres)).ino).toBe(copied.ino);
    await rm(join(first.postgres, '../../share/postgresql/postgres.bki'));
    const again = await usableBinaries(account, installed, [parent]);
    await stat(join(again.postgres, '../../share/postgresql/postgres.bki'));
    await rm(parent, { recursive: true });
  });

  test.skipIf(!isRoot)('are never taken from a directory that somebody else could write to', async () => {
    const installed = await privateInstallation();
    const parent = await mkdtemp(join(tmpdir(), 'timbre-cache-'));
    await chmod(parent, 0o777);
    const planted = join(parent, 'timbre-postgres-0');
    await mkdir(planted);
    await chown(planted, NOBODY.uid, NOBODY.gid);
    await expect(usableBinaries(account, installed, [parent])).rejects.toThrow(
      `${planted} is not a directory that only`,
    );
    await chown(planted, 0, 0);
    await chmod(planted, 0o777);
    await expect(usableBinaries(account, installed, [parent])).rejects.toThrow('is not a directory that only');
    await rm(parent, { recursive: true });
  });
});

async function uidOf(pid: number): Promise<number> {
  return (await stat(`/proc/${pid}`)).uid;
}

/** Whether everyone may read the file and enter every directory above it. */
async function reachable(file: string): Promise<boolean> {
  for (let path = file; path !== '/'; path = join(path, '..')) {
    if (((await stat(path)).mode & (path === file ? 0o004 : 0o001)) === 0) return false;
  }
  return true;
}
