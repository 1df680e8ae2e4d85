import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CommandError } from '../../run-command.ts';
import { freeRun } from '../free-run.ts';
import { commander, type Commander } from '../graph/control.ts';
import { startPinned, type PinnedProcess } from '../pinned-process.ts';
import { waitForAnswer } from '../wait-for-answer.ts';
import type { SeededPrincipal } from './seed.ts';

export const loadSettingsSchema = z.object({
  /** Of the commands. */
  port: z.number(),
  /** Of the router, without a path; the second and following share the load. */
  urls: z.array(z.string()),
  principalsFile: z.string(),
  /** Of each principal. */
  subscriptions: z.array(z.number()),
});

const quantiles = { p50Ms: z.number(), p99Ms: z.number(), p999Ms: z.number() };
const summarySchema = z.object({ requests: z.number(), ...quantiles });

const secondSchema = z.object({
  /** In time, and as it should be: of these the quantiles are. */
  answered: z.number(),
  /** By the router, as it had too much to do. */
  refused: z.number(),
  failed: z.number(),
  ...quantiles,
});

export const resultSchema = z.object({
  ...summarySchema.shape,
  /** From the first arrival that is counted to the last answer. */
  seconds: z.number(),
  failed: z.number(),
  /** The first of them. */
  failures: z.array(z.string()),
  /** Connections that were needed. */
  connections: z.number(),
  byOperation: z.record(z.string(), summarySchema),
  /** Of what was due in each second of the run, those before it counted too. What was never answered is in none of them. */
  timeline: z.array(secondSchema),
});

export const runSchema = z.object({
  perSecond: z.number(),
  /** At this rate, before the seconds that are counted. What fails then is counted all the same. */
  warmSeconds: z.number(),
  seconds: z.number(),
  seed: z.number(),
  /** Null, or the p99 that must hold: the load ends once it cannot, or something has failed. */
  maxP99Ms: z.number().nullable(),
});

export type LoadRun = z.output<typeof runSchema>;
export type LoadResult = z.output<typeof resultSchema>;

/** Latency is from the moment at which a request was due, whenever it was sent. */
export interface OpenLoad extends PinnedProcess {
  run(run: LoadRun): Promise<LoadResult>;
}

export interface IdleSubscribers extends PinnedProcess {
  /** Until all are acknowledged. */
  open(): Promise<void>;
  /** @throws CommandError when a subscription has failed */
  check(): Promise<number>;
}

export const idleReportSchema = z.object({ open: z.number(), failures: z.array(z.string()) });

interface Clients {
  urls: readonly string[];
  principals: readonly SeededPrincipal[];
  subscriptions?: readonly number[];
}

export async function startOpenLoad(clients: Clients): Promise<OpenLoad> {
  const { program, command } = await start('open-load-main.ts', 'the load', clients);
  return { ...program, run: (run) => command('run', resultSchema, run) };
}

export async function startIdleSubscribers(clients: Clients): Promise<IdleSubscribers> {
  const { program, command } = await start('idle-main.ts', 'the subscribers', clients);
  return {
    ...program,
    open: async () => void (await command('open', z.null())),
    async check() {
      const { open, failures } = await command('report', idleReportSchema);
      if (failures.length > 0) throw new CommandError(`Subscriptions failed:\n${failures.join('\n')}`);
      return open;
    },
  };
}

async function start(
  file: string,
  name: string,
  { urls, principals, subscriptions = [] }: Clients,
): Promise<{ program: PinnedProcess; command: Commander }> {
  const directory = await mkdtemp(join(tmpdir(), 'timbre-bench-load-'));
  const principalsFile = join(directory, 'principals.json');
  await writeFile(principalsFile, JSON.stringify(principals), { mode: 0o600 });
  const port = await freeRun(1);
  const settings: z.input<typeof loadSettingsSchema> = {
    port,
    urls: [...urls],
    principalsFile,
    subscriptions: [...subscriptions],
  };
  const main = fileURLToPath(new URL(file, import.meta.url));
  const program = startPinned({ name, command: [process.execPath, main, JSON.stringify(settings)] });
  await waitForAnswer(`http://127.0.0.1:${port}/ready`, program, 'null');
  await rm(directory, { recursive: true });
  return { program, command: commander(program, port) };
}
