import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { freeRun } from '../free-run.ts';
import { startPinned, type PinnedProcess } from '../pinned-process.ts';
import { waitForAnswer } from '../wait-for-answer.ts';
import { command } from './control.ts';

const MAIN = fileURLToPath(new URL('subgraphs-main.ts', import.meta.url));

const countsSchema = z.object({ subscriptions: z.number(), sockets: z.number() });

export interface Subgraphs extends PinnedProcess {
  /** Of `events`; `users` has the next. */
  port: number;
  counts(): Promise<z.output<typeof countsSchema>>;
  /** One event to every channel that has a subscriber. */
  broadcast(): Promise<void>;
  /** So many events a second, one channel after the other, until it is stopped. */
  startSpread(load: { channels: number; perSecond: number }): Promise<void>;
  /** @returns how many events it were */
  stopSpread(): Promise<number>;
}

/** `events` and `users` in one process. */
export async function startSubgraphs(core: number, nodeArgs: readonly string[] = []): Promise<Subgraphs> {
  const port = await freeRun(3);
  const program = startPinned({
    name: 'the subgraphs',
    core,
    command: [process.execPath, ...nodeArgs, MAIN, String(port)],
  });
  const control = port + 2;
  await waitForAnswer(`http://127.0.0.1:${control}/counts`, program, 'null');
  return {
    ...program,
    port,
    counts: () => command(control, 'counts', countsSchema),
    broadcast: async () => void (await command(control, 'broadcast', z.null())),
    startSpread: async (load) => void (await command(control, 'startSpread', z.null(), load)),
    stopSpread: () => command(control, 'stopSpread', z.number()),
  };
}
