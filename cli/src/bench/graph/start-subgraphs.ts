import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { freeRun } from '../free-run.ts';
import { startPinned, type PinnedProcess } from '../pinned-process.ts';
import { waitForAnswer } from '../wait-for-answer.ts';
import { commander } from './control.ts';

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
  await waitForAnswer(`http://127.0.0.1:${port + 2}/counts`, program, 'null');
  const command = commander(program, port + 2);
  return {
    ...program,
    port,
    counts: () => command('counts', countsSchema),
    broadcast: async () => void (await command('broadcast', z.null())),
    startSpread: async (load) => void (await command('startSpread', z.null(), load)),
    stopSpread: () => command('stopSpread', z.number()),
  };
}
