import { once } from 'node:events';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { runCommand } from '../run-command.ts';
import { banner } from './banner.ts';
import { logPrinter } from './log-printer.ts';

await runCommand({
  usage: `npm start

Runs the whole system: PostgreSQL, the subgraphs, their workers and the router, each a process of its own.
Ctrl-C drains and ends all of it; the data stays.

  PORT        the router's port (default 4000)
  DATA_DIR    database, objects and keys (default .timbre)
  The README lists the other variables.`,
  options: {},
  run: async () => {
    await import('@timbre/db/quick-imports'); // helps what is imported after it
    const { startSystem } = await import('./start-system.ts');
    const stopped = new AbortController();
    // Told twice is told once: the second signal must not cut the draining short and leave processes behind.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort());
    const system = await startSystem({ env: process.env, onLine: logPrinter(), signal: stopped.signal }).catch(
      (error: unknown) => {
        if (stopped.signal.aborted) return null;
        throw error;
      },
    );
    if (system === null) return;
    const token = process.env['AUTH_ISSUER'] ? null : await (await loadDevIssuer(system.dataDir)).sign();
    console.log(banner(system, token));
    if (!stopped.signal.aborted) await once(stopped.signal, 'abort');
    console.log('Stopping …');
    await system.stop();
  },
});
