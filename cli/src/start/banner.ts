import { localEngineInstalled } from '@timbre/speech/local/local-engine';
import { ESPEAK_PACKAGE } from '@timbre/speech/local/espeak-package';
import pc from 'picocolors';
import type { RunningSystem } from './start-system.ts';
import { SERVICES } from './services.ts';

/** What runs where, and what to do next. */
export function banner(system: RunningSystem, token: string | null): string {
  const does = new Map(SERVICES.map((service) => [service.name, service.does]));
  const rows = Object.entries(system.processes()).map(
    ([name, { pid, port }]) =>
      `  ${name.padEnd(14)} ${String(pid).padStart(7)}  ${`127.0.0.1:${port}`.padEnd(16)} ${pc.dim(does.get(name) ?? 'rows, jobs, events, credits')}`,
  );
  return [
    '',
    pc.bold(`Timbre is ready at ${system.url}/graphql`),
    '',
    pc.dim(`  ${'process'.padEnd(14)} ${'pid'.padStart(7)}  ${'address'.padEnd(16)} does`),
    ...rows,
    '',
    `  data           ${system.dataDir}`,
    `  sandbox        ${system.url}/graphql ${pc.dim('(in a browser)')}`,
    `  websocket      ${system.url.replace(/^http/, 'ws')}/graphql`,
    ...(token === null
      ? []
      : [
          '',
          'A development token (another: npm run -s token -- --email you@example.com):',
          '',
          `  Authorization: Bearer ${token}`,
        ]),
    '',
    ...(localEngineInstalled()
      ? []
      : [
          pc.yellow(`No speech engine is installed, so nothing can be spoken: npm install -w speech ${ESPEAK_PACKAGE}`),
          '',
        ]),
    `Next: ${pc.cyan('npm run demo')} in another terminal. Ctrl-C ends everything.`,
    '',
  ].join('\n');
}
