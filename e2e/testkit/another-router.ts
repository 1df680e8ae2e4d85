import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RunningSystem } from '@timbre/cli/start/start-system';
import { SupervisedProcess } from '@timbre/cli/start/supervised-process';
import { freePort } from '@timbre/platform/testing/free-port';

const ENTRY = fileURLToPath(new URL('../../router/src/main.ts', import.meta.url));
const SUBGRAPHS = ['users', 'billing', 'voices', 'tts'];

export interface AnotherRouter {
  /** Without a path. */
  url: string;
  /** Drains it and starts it again at the same address. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A second router before the subgraphs of a system. `env` is what the system was started with. */
export async function anotherRouter(
  system: RunningSystem,
  env: Record<string, string> & { IDENTITY_SECRET: string },
  onLine: (line: string) => void,
): Promise<AnotherRouter> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const addresses = SUBGRAPHS.map((name) => [
    `SUBGRAPH_URL_${name.toUpperCase()}`,
    `http://127.0.0.1:${system.processes()[name]?.port}/graphql`,
  ]);
  const start = async (): Promise<SupervisedProcess> => {
    const process = new SupervisedProcess({
      entry: ENTRY,
      env: {
        ...env,
        LOG_LEVEL: 'warn',
        HOST: '127.0.0.1',
        PORT: String(port),
        DATA_DIR: system.dataDir,
        ...Object.fromEntries(addresses),
      },
      onLine,
    });
    process.on('crash', (cause) => onLine(`the second router ended (${cause})`));
    process.start();
    while (!(await isReady(url))) await sleep(50);
    return process;
  };
  let process = await start();
  return {
    url,
    async restart() {
      await process.stop();
      process = await start();
    },
    stop: () => process.stop(),
  };
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`).catch(() => null);
  return response?.ok ?? false;
}
