import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSystem, type RunningSystem } from '@timbre/cli/start/start-system';

/** A system of the test's own, to be broken. Print `said()` when it does not do what it should. */
export async function ownSystem(env: Record<string, string> = {}): Promise<RunningSystem & { said: () => string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'timbre-fault-'));
  const lines: string[] = [];
  const system = await startSystem({
    env: { ...process.env, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn', ...env },
    onLine: (name, line) => lines.push(`${name} ${line}`),
  });
  return {
    ...system,
    said: () => lines.join('\n'),
    async stop() {
      await system.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
