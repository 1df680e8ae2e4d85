import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CommandError } from '../../run-command.ts';
import { freeRun } from '../free-run.ts';
import { commander } from '../graph/control.ts';
import { startPinned } from '../pinned-process.ts';
import { waitForAnswer } from '../wait-for-answer.ts';

export interface ClientsOptions {
  core: number;
  url: string;
  query: string;
  /** One for each client. */
  tokens: readonly string[];
}

export interface Clients {
  /** Until every one is acknowledged. */
  open(): Promise<void>;
  /** Milliseconds from the emission of each of `count` events to its receipt. @throws CommandError when they are less or more */
  latencies(count: number): Promise<number[]>;
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('clients-main.ts', import.meta.url));
const PROCESSES = 2;
/** 127.0.0.2 and the following. */
const ADDRESSES = 20;
const POLL_MS = 50;
/** Without any event of those that are still to come. */
const LOST_AFTER_MS = 15_000;

const receivedSchema = z.object({ events: z.number(), failures: z.array(z.string()) });

/** Clients with a subscription each, in processes of their own. */
export async function startClients({ core, url, query, tokens }: ClientsOptions): Promise<Clients> {
  const directory = await mkdtemp(join(tmpdir(), 'timbre-bench-clients-'));
  const share = Math.ceil(tokens.length / PROCESSES);
  const processes = await Promise.all(
    Array.from({ length: PROCESSES }, async (_, index) => {
      const port = await freeRun(1);
      const tokensFile = join(directory, `${index}`);
      await writeFile(tokensFile, tokens.slice(index * share, (index + 1) * share).join('\n'), { mode: 0o600 });
      const localAddresses = Array.from({ length: ADDRESSES }, (__, address) => `127.0.0.${2 + address}`);
      const settings = { port, url, query, tokensFile, firstChannel: index * share, localAddresses };
      const program = startPinned({
        name: 'the clients',
        core,
        command: [process.execPath, MAIN, JSON.stringify(settings)],
      });
      await waitForAnswer(`http://127.0.0.1:${port}/received`, program, 'null');
      return { program, command: commander(program, port) };
    }),
  );
  await rm(directory, { recursive: true });

  async function received(): Promise<number> {
    const all = await Promise.all(processes.map(({ command }) => command('received', receivedSchema)));
    const [failure] = all.flatMap(({ failures }) => failures);
    if (failure !== undefined) throw new CommandError(`A subscription failed: ${failure}`);
    return all.reduce((sum, { events }) => sum + events, 0);
  }

  return {
    async open() {
      await Promise.all(processes.map(({ command }) => command('open', z.null())));
    },
    async latencies(count) {
      let before = -1;
      for (let since = performance.now(); ;) {
        const now = await received();
        if (now === count) break;
        if (now !== before) since = performance.now();
        if (now > count || performance.now() - since > LOST_AFTER_MS)
          throw new CommandError(`${now} events of ${count} were received.`);
        before = now;
        await sleep(POLL_MS);
      }
      const all = await Promise.all(processes.map(({ command }) => command('takeLatencies', z.array(z.number()))));
      return all.flat();
    },
    async stop() {
      await Promise.all(processes.map(({ command }) => command('close', z.null())));
      await Promise.all(processes.map(({ program }) => program.stop()));
    },
  };
}
