import { fileURLToPath } from 'node:url';
import { freeRun } from './free-run.ts';
import { startPinned, type PinnedProcess } from './pinned-process.ts';
import { readMetric } from './read-metric.ts';
import { waitForAnswer } from './wait-for-answer.ts';

export interface RouterProgramOptions {
  core: number;
  supergraphFile: string;
  maxCost: number;
  env: Readonly<Record<string, string>>;
  nodeArgs?: readonly string[];
  onLine?: (line: string) => void;
}

export interface RouterProgram extends PinnedProcess {
  /** Of GraphQL. */
  url: string;
  /** The sum over all labels, or over those samples that have `label`, as `name="value"`. */
  metric(name: string, label?: string): Promise<number>;
}

const MAIN = fileURLToPath(new URL('../../../router/src/main.ts', import.meta.url));

/** Our router as `npm run router` starts it, with the limits that Timbre's own graph has. */
export async function startRouterProgram(options: RouterProgramOptions): Promise<RouterProgram> {
  const port = await freeRun(1);
  const flags = ['--supergraph', options.supergraphFile, '--port', port, '--max-cost', options.maxCost];
  const limits = ['--max-depth', 20, '--max-aliases', 30];
  const program = startPinned({
    name: 'the router',
    core: options.core,
    command: [process.execPath, ...(options.nodeArgs ?? []), MAIN, ...[...flags, ...limits].map(String)],
    env: { LOG_LEVEL: 'warn', ...options.env },
    ...(options.onLine ? { onLine: options.onLine } : {}),
  });
  const base = `http://127.0.0.1:${port}`;
  await waitForAnswer(`${base}/health`, program);
  return {
    ...program,
    url: `${base}/graphql`,
    metric: (name, label) => readMetric(base, name, label),
  };
}
