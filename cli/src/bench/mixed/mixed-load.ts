import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { freeRun } from '../free-run.ts';
import { commander } from '../graph/control.ts';
import { startPinned } from '../pinned-process.ts';
import { waitForAnswer } from '../wait-for-answer.ts';

export const mixedLoadSchema = z.object({
  port: z.number(),
  /** Of GraphQL over HTTP. */
  url: z.string(),
  token: z.string(),
  /** Requests under way at once. */
  queries: z.number(),
  mutations: z.number(),
  /** On a channel each, from the first. */
  firstChannel: z.number(),
  subscriptions: z.number(),
  /** That come and go, on the same channels. */
  visitors: z.number(),
  /** Also requests that must be refused. */
  wrong: z.boolean(),
});

export type MixedLoadOptions = Omit<z.output<typeof mixedLoadSchema>, 'port'>;

const reportSchema = z.object({
  requests: z.number(),
  /** Not answered as they must be, and subscriptions that ended. */
  failed: z.number(),
  /** The first of those. */
  failures: z.array(z.string()),
  visits: z.number(),
  events: z.number(),
  /** Events of the subscriptions that stay. */
  taken: z.number(),
  lost: z.number(),
  repeated: z.number(),
  /** Of requests since the last report, ms. */
  latencies: z.array(z.number()),
});

export type MixedReport = z.output<typeof reportSchema>;

export interface MixedLoad {
  /** Opens the subscriptions that stay. */
  subscribe(): Promise<void>;
  start(): Promise<void>;
  report(): Promise<MixedReport>;
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('mixed-load-main.ts', import.meta.url));

export async function startMixedLoad(core: number, options: MixedLoadOptions): Promise<MixedLoad> {
  const port = await freeRun(1);
  const program = startPinned({
    name: 'the load',
    core,
    command: [process.execPath, MAIN, JSON.stringify({ ...options, port })],
  });
  await waitForAnswer(`http://127.0.0.1:${port}/report`, program, 'null');
  const command = commander(program, port);
  return {
    subscribe: async () => void (await command('subscribe', z.null())),
    start: async () => void (await command('start', z.null())),
    report: () => command('report', reportSchema),
    async stop() {
      await command('stop', z.null());
      await program.stop();
    },
  };
}
