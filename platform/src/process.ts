import { processEnv, SettingsError } from './env.ts';
import type { EnvSource } from './env.ts';

export interface Closable {
  close(): Promise<void>;
}

const FORCE_EXIT_MS = 30_000;

/**
 * Runs a service as this process: starts it, drains it on SIGTERM, on SIGINT and when the
 * supervisor that started it is gone, then exits 0. A bad environment is printed and exits 1.
 */
export async function runService(main: (source: EnvSource) => Promise<Closable>): Promise<void> {
  let service: Closable | undefined;
  let stopping = false;

  // Told twice (Ctrl-C reaches the whole terminal group, the supervisor adds a SIGTERM), it drains once.
  const stop = () => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), FORCE_EXIT_MS).unref();
    Promise.resolve(service?.close()).then(
      () => process.exit(0),
      (error: unknown) => die('the service did not stop cleanly', error),
    );
  };

  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // With an IPC channel there is a supervisor; when it dies, even by kill -9, the channel closes.
  if (process.connected) process.on('disconnect', stop);
  process.on('uncaughtException', (error) => die('uncaught exception', error));
  process.on('unhandledRejection', (error) => die('unhandled rejection', error));

  try {
    service = await main(processEnv());
  } catch (error) {
    if (error instanceof SettingsError) {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    }
    die('the service did not start', error);
  }
  if (stopping) {
    await service.close();
    process.exit(0);
  }
}

function die(what: string, error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${what}: ${text}\n`);
  process.exit(1);
}
