import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeBusRole } from '@timbre/db/bus-role';
import { migrate } from '@timbre/db/migrate';
import type { EnvSource } from '@timbre/platform/env';
import { CommandError } from '../run-command.ts';
import { keepPostgres } from './keep-postgres.ts';
import { parseStartEnv, serviceEnv, type StartEnv } from './env.ts';
import { freePort, freePorts } from './free-port.ts';
import { identitySecret } from './identity-secret.ts';
import { acquirePidLock } from './pid-lock.ts';
import { removeRunFile, writeRunFile, type RunFile } from './run-file.ts';
import { SERVICES } from './services.ts';
import { SupervisedProcess } from './supervised-process.ts';

export interface SystemOptions {
  /** Where the variables come from; see the README's table. */
  env: EnvSource;
  /** One line that a process printed, or that the supervisor has to say of it. */
  onLine?: (process: string, line: string) => void;
  /** Gives up a start that is under way and stops what it started. */
  signal?: AbortSignal;
}

export interface RunningSystem {
  /** The router's address, without a path. */
  url: string;
  dataDir: string;
  databaseUrl: string;
  /** What runs where, now: a restarted process has another pid. */
  processes(): RunFile['services'];
  /** Drains the router first and PostgreSQL last; the second call waits for the first. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
/** What V8 made of the code at the last start; a third less CPU time at the next. Of no use where it cannot be written. */
const COMPILE_CACHE = fileURLToPath(new URL('../../../node_modules/.cache/timbre/compiled', import.meta.url));
/** Only the router is for others; what stands behind it is not to be reached from another machine. */
const INTERNAL_HOST = '127.0.0.1';

/**
 * Starts every service as a process of its own and keeps it running, with the embedded PostgreSQL unless
 * `DATABASE_URL` is set; resolves when all of them are ready.
 *
 * @throws EnvError, or CommandError when the directory or the port is taken or a service does not come up
 */
export async function startSystem(options: SystemOptions): Promise<RunningSystem> {
  const { env: source, onLine = () => {}, signal } = options;
  const env = parseStartEnv(source);
  mkdirSync(env.DATA_DIR, { recursive: true, mode: 0o700 });
  const undo: (() => void | Promise<void>)[] = [acquirePidLock(env.DATA_DIR)];
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= unwind(undo));
  try {
    return await bringUp(env, source, onLine, undo, stop, signal);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function bringUp(
  env: StartEnv,
  source: EnvSource,
  onLine: NonNullable<SystemOptions['onLine']>,
  undo: (() => void | Promise<void>)[],
  stop: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<RunningSystem> {
  const port = await freePort(env.HOST, env.PORT);
  const postgres = env.DATABASE_URL === undefined ? await keepPostgres(env.DATA_DIR, onLine) : null;
  if (postgres) undo.push(() => postgres.stop());
  const databaseUrl = env.DATABASE_URL ?? postgres?.url ?? '';
  await migrate(databaseUrl);
  // Another's database is not ours to make roles in.
  const busUrl = postgres === null ? null : await makeBusRole(databaseUrl);

  signal?.throwIfAborted();

  const url = `http://${addressOf(env.HOST)}:${port}`;
  const others = SERVICES.filter(({ name }) => name !== 'router');
  const chosen = await freePorts(
    INTERNAL_HOST,
    others.map(() => 0),
  );
  const ports = new Map(others.map(({ name }, index) => [name, chosen[index] ?? 0]));
  const everything = {
    ...source,
    HOST: INTERNAL_HOST,
    DATA_DIR: env.DATA_DIR,
    DATABASE_URL: databaseUrl,
    ...(busUrl === null ? {} : { BUS_URL: busUrl }),
    IDENTITY_SECRET: env.IDENTITY_SECRET ?? identitySecret(env.DATA_DIR),
    PUBLIC_URL: env.PUBLIC_URL ?? `http://127.0.0.1:${port}`,
    APOLLO_TELEMETRY_DISABLED: '1',
    NODE_COMPILE_CACHE: COMPILE_CACHE,
  };
  const addresses = Object.fromEntries(
    SERVICES.flatMap(({ name, subgraph }) =>
      subgraph === undefined
        ? []
        : [[`SUBGRAPH_URL_${subgraph}`, `http://${INTERNAL_HOST}:${ports.get(name)}/graphql`]],
    ),
  );
  const processes = SERVICES.map((spec) => {
    const own = ports.get(spec.name) ?? port;
    const place = spec.name === 'router' ? { HOST: env.HOST, ...addresses } : {};
    return {
      spec,
      port: own,
      process: new SupervisedProcess({
        entry: spec.entry,
        env: { ...serviceEnv(everything, spec.needs, spec.env), ...place, PORT: String(own) },
        onLine: (line) => onLine(spec.name, line),
      }),
    };
  });
  const running = (): RunFile['services'] => ({
    ...(postgres ? { postgres: { pid: postgres.pid(), port: Number(new URL(databaseUrl).port) } } : {}),
    ...Object.fromEntries(
      processes.flatMap(({ spec, port: own, process }) =>
        process.pid === null ? [] : [[spec.name, { pid: process.pid, port: own }]],
      ),
    ),
  });
  const record = () => writeRunFile(env.DATA_DIR, { pid: process.pid, url, databaseUrl, services: running() });
  undo.push(() => removeRunFile(env.DATA_DIR));
  postgres?.onRestart(record);
  undo.push(async () => {
    // Nothing new comes in once the router has drained; then everything that served it may go at once.
    const router = processes.find(({ spec }) => spec.name === 'router');
    await router?.process.stop();
    await Promise.all(processes.map(({ process: service }) => service.stop()));
  });
  for (const { spec, process: service } of processes) {
    service.on('spawn', record);
    service.on('crash', (cause, delayMs) => onLine(spec.name, `ended (${cause}); starting again in ${delayMs} ms`));
    service.start();
  }
  await Promise.all(
    processes.map(({ spec, port: own, process: service }) => {
      const host = spec.name === 'router' ? addressOf(env.HOST) : INTERNAL_HOST;
      return whenReady(spec.name, `http://${host}:${own}/readyz`, service, signal);
    }),
  );
  return { url, dataDir: env.DATA_DIR, databaseUrl, processes: running, stop };
}

/** Where a server that listens everywhere is reached from here. */
function addressOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

async function whenReady(
  name: string,
  url: string,
  service: SupervisedProcess,
  signal: AbortSignal | undefined,
): Promise<void> {
  let crashes = 0;
  let cause = '';
  service.on('crash', (reason) => {
    crashes += 1;
    cause = reason;
  });
  for (const deadline = performance.now() + READY_TIMEOUT_MS; performance.now() < deadline; await sleep(50)) {
    signal?.throwIfAborted();
    // A service that dies at once five times in a row will not come up by itself; its own words are in the log above.
    if (crashes >= 5) throw new CommandError(`${name} does not start (${cause}). What it said stands above.`);
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => null);
    if (response?.ok) return;
  }
  throw new CommandError(`${name} is not ready after ${READY_TIMEOUT_MS / 1000} s. What it said stands above.`);
}

/** In reverse; one that fails does not keep the others from ending. */
async function unwind(undo: (() => void | Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of undo.toReversed()) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be stopped.');
}
