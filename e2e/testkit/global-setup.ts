import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSystem } from '@timbre/cli/start/start-system';
import type { TestProject } from 'vitest/node';

/** One system for all scenarios: each test brings users of its own. Faults start systems of their own to break. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'timbre-e2e-'));
  const lines: string[] = [];
  const system = await startSystem({
    env: { ...process.env, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn' },
    onLine: (name, line) => lines.push(`${name} ${line}`),
  }).catch((error: unknown) => {
    console.error(lines.join('\n'));
    throw error;
  });
  project.provide('system', { url: system.url, dataDir, databaseUrl: system.databaseUrl });
  return async () => {
    await system.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}

declare module 'vitest' {
  interface ProvidedContext {
    system: { url: string; dataDir: string; databaseUrl: string };
  }
}
