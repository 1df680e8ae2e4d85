import { startEmbeddedPostgres } from '@timbre/db/embedded/start';
import { createLogger } from '@timbre/platform/logger';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export interface KeptPostgres {
  url: string;
  pid(): number;
  onRestart(listener: () => void): void;
  stop(): Promise<void>;
}

/** The embedded PostgreSQL, started again on the same port whenever it ends without having been told to. */
export async function keepPostgres(
  dataDir: string,
  onLine: (process: string, line: string) => void,
): Promise<KeptPostgres> {
  const log = createLogger({
    name: 'postgres',
    level: 'info',
    stream: { write: (line) => onLine('postgres', line.trimEnd()) },
  });
  const port = await freePort('127.0.0.1');
  let server = await startEmbeddedPostgres({ dataDir, port, log });
  const listeners: (() => void)[] = [];
  let stopping = false;

  const watch = async () => {
    for (;;) {
      await server.exited;
      if (stopping) return;
      onLine('postgres', 'ended; starting again');
      server = await restart();
      for (const listener of listeners) listener();
    }
  };
  const restart = async () => {
    for (let delay = 100; ; delay = Math.min(delay * 2, 10_000)) {
      try {
        return await startEmbeddedPostgres({ dataDir, port, log });
      } catch (error) {
        onLine('postgres', `${error instanceof Error ? error.message : String(error)}; trying again in ${delay} ms`);
        await sleep(delay);
      }
    }
  };
  void watch();

  return {
    url: server.url,
    pid: () => server.pid,
    onRestart: (listener) => listeners.push(listener),
    async stop() {
      stopping = true;
      await server.stop();
    },
  };
}
