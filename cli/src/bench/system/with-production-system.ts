import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSystem, type RunningSystem } from '../../start/start-system.ts';
import { keepPostgres } from '../../start/keep-postgres.ts';
import { startIssuer, type BenchIssuer } from '../bench-issuer.ts';

export interface ProductionSystem extends RunningSystem {
  issuer: BenchIssuer;
  /** By name, PostgreSQL among them. */
  pids(): Record<string, number>;
}

const KEPT_LINES = 10;
const KEPT_CHARACTERS = 400;

/**
 * The whole system as in production (`NODE_ENV`, an issuer behind HTTP, a database by its address), the database being the embedded
 * one. Everything is gone afterwards.
 */
export async function withProductionSystem(
  env: Record<string, string>,
  use: (system: ProductionSystem) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const onLine = (name: string, line: string) => {
    if (line.includes('"name":"access"')) return;
    lines.push(`${name} ${line.slice(0, KEPT_CHARACTERS)}`);
    if (lines.length > KEPT_LINES) lines.shift();
  };
  const stops: (() => Promise<void>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = () =>
    (stopping ??= (async () => {
      for (const each of stops.toReversed()) await each();
    })());
  const interrupted = () => void stop().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
  try {
    const dataDir = await mkdtemp(join(tmpdir(), 'timbre-bench-'));
    stops.push(() => rm(dataDir, { recursive: true, force: true }));
    const issuer = await startIssuer();
    stops.push(() => issuer.close());
    const postgres = await keepPostgres(dataDir, onLine);
    stops.push(() => postgres.stop());
    const system = await startSystem({
      env: {
        ...process.env,
        NODE_ENV: 'production',
        LOG_LEVEL: 'warn',
        PORT: '0',
        DATA_DIR: dataDir,
        DATABASE_URL: postgres.url,
        IDENTITY_SECRET: randomBytes(32).toString('base64url'),
        ...issuer.env,
        ...env,
      },
      onLine,
    });
    stops.push(() => system.stop());
    await use({
      ...system,
      issuer,
      pids: () => ({
        ...Object.fromEntries(Object.entries(system.processes()).map(([name, { pid }]) => [name, pid])),
        postgres: postgres.pid(),
      }),
    });
  } catch (error) {
    console.error(lines.join('\n'));
    throw error;
  } finally {
    await stop();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupted);
  }
}
