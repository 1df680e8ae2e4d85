import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Log, silentLog } from '../log.ts';
import { serverAccount } from './account.ts';
import { usableBinaries } from './binaries.ts';
import {
  checkVersion,
  clusterPath,
  createCluster,
  setPassword,
  spawnOptions,
  TIMBRE,
  writeAccessRules,
} from './cluster.ts';
import { clearLeftovers, recordLauncher } from './leftovers.ts';
import { clusterPassword } from './password.ts';
import { signal, waitUntil } from './processes.ts';

export interface EmbeddedPostgresOptions {
  /** Timbre's DATA_DIR: the cluster is `<dataDir>/postgres`, its password `<dataDir>/keys/postgres`. */
  dataDir: string;
  /** Chosen by the system unless told. A restart for the same clients needs the port of before. */
  port?: number;
  /** False loses data when the machine (not the server) crashes: for tests. */
  fsync?: boolean;
  log?: Log;
}

export interface EmbeddedPostgres {
  /** With the password. */
  url: string;
  port: number;
  /** The postmaster's. */
  pid: number;
  /** Fast shutdown: open transactions are rolled back. Resolves when every process is gone. */
  stop(): Promise<void>;
  /** Resolves when the server has ended, asked or not. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/**
 * Starts PostgreSQL from the binaries that npm installed, on 127.0.0.1, making the cluster at the first time.
 * Works as root (the server runs as `nobody`), as any user, and on Linux below directories that only their owner
 * may enter. Recovers what `kill -9` of the server or of its launcher left. The caller sees to it that only one
 * process starts a server on a data directory at a time.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { fsync = true, log = silentLog } = options;
  const dataDir = resolve(options.dataDir);
  const clusterDir = join(dataDir, 'postgres');
  await mkdir(dataDir, { recursive: true });
  const account = await serverAccount(clusterDir);
  const binaries = await usableBinaries(account);
  const existing = await checkVersion(clusterDir, binaries);
  await clearLeftovers(dataDir, clusterDir, log);
  if (existing === null) {
    log.info({ dataDir }, 'creating the database');
    await createCluster(clusterDir, binaries, account, fsync);
  }
  await chmod(clusterDir, 0o700);
  const { password, created } = await clusterPassword(dataDir);
  if (existing === null || created) await setPassword(binaries, clusterDir, account, password);
  await writeAccessRules(clusterDir, account);
  await recordLauncher(dataDir);

  const deadline = Date.now() + 30_000;
  for (;;) {
    const port = options.port ?? (await freePort());
    const child = spawn(binaries.postgres, ['-D', clusterPath(clusterDir), ...settings(port, fsync)], {
      ...spawnOptions(clusterDir, account),
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true, // a Ctrl-C at the terminal is for the supervisor, which stops this last
    });
    const failure = await ready(child, log);
    if (failure === null) return handle(child, port, password);
    const again = options.port === undefined && /could not bind/.test(failure);
    const attached = /pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(failure);
    if (Date.now() > deadline || !(again || attached)) throw new Error(`PostgreSQL did not start:\n${failure}`);
    await new Promise((wait) => setTimeout(wait, 250));
  }
}

function settings(port: number, fsync: boolean): string[] {
  const values: Record<string, string | number> = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '64MB',
    work_mem: '8MB',
    max_wal_size: '512MB',
    io_method: 'sync', // three worker processes less
    wal_level: 'minimal',
    max_wal_senders: 0,
    max_logical_replication_workers: 0,
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '',
    password_encryption: 'scram-sha-256',
    ...(fsync ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Null when the server accepts connections, otherwise what it said before it ended. */
async function ready(child: ChildProcess, log: Log): Promise<string | null> {
  if (child.stderr === null) throw new Error('PostgreSQL was started without a log');
  const said: string[] = [];
  const lines = createInterface({ input: child.stderr });
  return new Promise((settle, reject) => {
    child.once('error', reject);
    child.once('close', () => settle(said.join('\n')));
    lines.on('line', (line) => {
      said.push(line);
      if (said.length > 50) said.shift();
      if (/^(WARNING|FATAL|PANIC)/.test(line)) log.warn({ postgres: line }, 'database');
      else log.debug({ postgres: line }, 'database');
      if (line.includes('database system is ready to accept connections')) settle(null);
    });
  });
}

function handle(child: ChildProcess, port: number, password: string): EmbeddedPostgres {
  const { pid } = child;
  if (pid === undefined) throw new Error('PostgreSQL has no process id');
  const exited = once(child, 'exit').then(() => ({ code: child.exitCode, signal: child.signalCode }));
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  // Also when nobody called stop(): in a process group of its own the server would otherwise outlive us.
  const lastResort = () => void signal(pid, 'SIGINT');
  process.once('exit', lastResort);
  void exited.then(() => process.off('exit', lastResort));
  return {
    url: `postgres://${TIMBRE}:${password}@127.0.0.1:${port}/${TIMBRE}`,
    port,
    pid,
    exited,
    async stop() {
      for (const [name, patience] of [
        ['SIGINT', 15_000],
        ['SIGQUIT', 5000],
        ['SIGKILL', 5000],
      ] as const) {
        if (ended()) return;
        signal(pid, name);
        if (await waitUntil(ended, patience)) return;
      }
    },
  };
}

/** Somebody else may take it before the server binds it; then another is tried. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port to be had');
  return address.port;
}
