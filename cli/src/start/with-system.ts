import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { GraphClient } from '../client/graph-client.ts';
import { CommandError } from '../run-command.ts';
import { parseStartEnv } from './env.ts';
import { readRunFile } from './run-file.ts';

/**
 * Calls `use` with a client of the system that runs on this `DATA_DIR`, signed in as `email` with the development
 * issuer. Where none runs, one is started for the time of the call.
 */
export async function withSystem(user: { email: string }, use: (client: GraphClient) => Promise<void>): Promise<void> {
  const env = parseStartEnv(process.env);
  if (env.AUTH_ISSUER !== undefined) {
    throw new CommandError('This command signs in with the development issuer, which is off while AUTH_ISSUER is set.');
  }
  const found = readRunFile(env.DATA_DIR);
  const lines: string[] = [];
  if (!found) console.log('Starting Timbre for this command (npm start keeps it running) …');
  const interruption = new AbortController();
  const starting = found ? null : startHere(lines, interruption.signal);
  // Ctrl-C at any moment must not leave processes behind.
  const interrupted = () => {
    interruption.abort();
    const stopped = starting?.then((system) => system.stop());
    void stopped?.catch(() => undefined).finally(() => process.exit(130));
  };
  if (starting) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
  const system = await starting;
  const issuer = await loadDevIssuer(env.DATA_DIR);
  const client = new GraphClient(`${(found ?? system)?.url}/graphql`, await issuer.sign({ email: user.email }));
  try {
    await use(client);
  } finally {
    await client.close();
    await system?.stop();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupted);
  }
}

/** Quiet unless it fails; on any free port, so that whatever sits on 4000 does not matter. */
async function startHere(lines: string[], signal: AbortSignal) {
  await import('@timbre/db/quick-imports'); // helps what is imported after it
  const { startSystem } = await import('./start-system.ts');
  try {
    return await startSystem({
      env: { ...process.env, PORT: process.env['PORT'] ?? '0', LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'warn' },
      onLine: (name, line) => lines.push(`${name.padEnd(14)} ${line}`),
      signal,
    });
  } catch (error) {
    if (!signal.aborted) console.error(lines.slice(-40).join('\n'));
    throw error;
  }
}
