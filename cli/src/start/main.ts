import { once } from 'node:events';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { runCommand } from '../run-command.ts';
import { banner } from './banner.ts';
import { logPrinter } from './log-printer.ts';
import { startSystem } from './start-system.ts';

await runCommand({
  usage: `npm start

Runs the whole system: PostgreSQL, the subgraphs, their workers and the router, each a process of its own.
Ctrl-C drains and ends all of it; the data stays.

  PORT        the router's port (default 4000)
  DATA_DIR    database, objects and keys (default .timbre)
  The README lists the other variables.`,
  options: {},
  run: async () => {
    const stopSignal = new AbortController();
    // Told twice is told once: the second signal must not cut the draining short and leave processes behind.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopSignal.abort());
    const system = await startSystem({ env: process.env, onLine: logPrinter() });
    const token = process.env['AUTH_ISSUER']
      ? null
      : await (await loadDevIssuer(system.dataDir)).sign({ email: 'dev@timbre.local' });
    console.log(banner(system, token));
    if (!stopSignal.signal.aborted) await once(stopSignal.signal, 'abort');
    console.log('Stopping …');
    await system.stop();
  },
});
