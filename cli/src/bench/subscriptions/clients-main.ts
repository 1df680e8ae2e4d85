import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { serveCommands } from '../graph/control.ts';
import { monotonicMs } from '../graph/monotonic.ts';
import { TransportClient } from './transport-client.ts';

// Many clients in one process. Argument: what `startClients` passes as JSON.
const settingsSchema = z.object({
  port: z.number(),
  url: z.string(),
  query: z.string(),
  /** One line for each client. */
  tokensFile: z.string(),
  firstChannel: z.number(),
  localAddresses: z.array(z.string()),
});
const settings = settingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
const tokens = readFileSync(settings.tokensFile, 'utf8').split('\n');

/** Less than the backlog that Node listens with. */
const OPENING_AT_ONCE = 100;

const atSchema = z.union([
  z.object({ tick: z.number() }).transform(({ tick }) => tick),
  z
    .object({ event: z.object({ at: z.number(), user: z.object({ name: z.string() }) }) })
    .transform(({ event }) => event.at),
]);

const clients: TransportClient[] = [];
const failures: string[] = [];
let latencies: number[] = [];

async function open(): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < tokens.length) {
      const index = next++;
      const client = new TransportClient({
        url: settings.url,
        localAddress: settings.localAddresses[index % settings.localAddresses.length] ?? '127.0.0.1',
        token: tokens[index] ?? '',
        query: settings.query,
        variables: { channel: settings.firstChannel + index },
        onEvent: (data) => latencies.push(monotonicMs() - atSchema.parse(data)),
        onFailure: (reason) => failures.push(reason),
      });
      clients.push(client);
      await client.acknowledged;
    }
  };
  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, lane));
}

await serveCommands(settings.port, {
  open,
  received: () => ({ events: latencies.length, failures }),
  takeLatencies() {
    const taken = latencies;
    latencies = [];
    return taken;
  },
  close() {
    for (const client of clients.splice(0)) client.close();
  },
});
