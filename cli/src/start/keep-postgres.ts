import { setTimeout as sleep } from 'node:timers/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@timbre/db/embedded/start';
import { createLogger } from '@timbre/platform/logger';
import { freePort } from './free-port.ts';
import { endWithUs } from './end-with-us.ts';

export interface KeptPostgres {
  url: string;
  pid(): number;
  onRestart(listener: () => void): void;
  stop(): Promise<void>;
}

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 10_000;

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
  const listeners: (() => void)[] = [];
  const stopping = new AbortController();

  const start = async (): Promise<EmbeddedPostgres> => {
    const started = await startEmbeddedPostgres({ dataDir, port, log });
    endWithUs(started.pid, started.exited);
    return started;
  };
  let server = await start();

  const restart = async (): Promise<void> => {
    for (let delay = FIRST_DELAY_MS; !stopping.signal.aborted; delay = Math.min(delay * 2, LAST_DELAY_MS)) {
      try {
        server = await start();
        for (const listener of listeners) listener();
        return;
      } catch (error) {
        onLine('postgres', `${error instanceof Error ? error.message : String(error)}; trying again in ${delay} ms`);
        await sleep(delay, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  };
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { code, signal } = await server.exited;
      if (stopping.signal.aborted) return;
      onLine('postgres', `ended (${signal ?? `exit code ${code}`}); starting again`);
      await restart();
    }
  };
  const watching = watch();

  return {
    url: server.url,
    pid: () => server.pid,
    onRestart: (listener) => listeners.push(listener),
    async stop() {
      stopping.abort();
      await server.stop();
      // A restart that was under way ends with another server.
      await watching;
      await server.stop();
    },
  };
}
