import { z } from 'zod';
import { Channels } from './channels.ts';
import { serveCommands } from './control.ts';
import { monotonicMs } from './monotonic.ts';
import { SCHEMAS } from './schemas.ts';
import { serveSubgraph } from './serve-subgraph.ts';

// Arguments: the port of `events`; those after it are of `users` and of the commands.
const port = Number(process.argv[2]);

const channels = new Channels<{ tick: number; event: object }>();
const sequences = new Map<number, number>();
const spreadSchema = z.object({ channels: z.number(), perSecond: z.number() });
const BURST_MS = 10;

interface Representation {
  id: string;
}

const eventAt = (at: number, sequence: number) => ({
  tick: at,
  event: { at, sequence, user: { __typename: 'User', id: String(sequence) } },
});

function emit(channel: number): void {
  const sequence = (sequences.get(channel) ?? 0) + 1;
  sequences.set(channel, sequence);
  channels.emit(channel, eventAt(monotonicMs(), sequence));
}

let spreading: NodeJS.Timeout | undefined;
let spreadEvents = 0;

/** In bursts of what is due by the clock, so that a late timer does not lower the rate. */
function startSpread(argument: unknown): void {
  const { channels: count, perSecond } = spreadSchema.parse(argument);
  const begun = monotonicMs();
  spreadEvents = 0;
  spreading = setInterval(() => {
    const due = Math.floor(((monotonicMs() - begun) * perSecond) / 1000);
    for (; spreadEvents < due; spreadEvents++) emit(spreadEvents % count);
  }, BURST_MS);
}

function stopSpread(): number {
  clearInterval(spreading);
  return spreadEvents;
}

const sockets = await serveSubgraph(port, SCHEMAS.events, {
  query: {
    now: monotonicMs,
    _entities: ({ representations }: { representations: Representation[] }) =>
      representations.map(({ id }) => ({ __typename: 'User', id, score: id.length })),
  },
  mutation: {},
  subscription: {
    tick: ({ channel }: { channel: number }) => channels.subscribe(channel),
    event: ({ channel }: { channel: number }) => channels.subscribe(channel),
  },
});
await serveSubgraph(port + 1, SCHEMAS.users, {
  query: {
    users: ({ seed }: { seed: number }) =>
      Array.from({ length: 20 }, (_, index) => ({ id: String(seed * 20 + index), name: `User ${index}` })),
    broken: () => {
      throw new Error('This field is broken.');
    },
    _entities: ({ representations }: { representations: Representation[] }) =>
      representations.map(({ id }) => ({ __typename: 'User', id, name: `User ${id}` })),
  },
  mutation: { rename: ({ id, name }: { id: string; name: string }) => ({ id, name }) },
  subscription: {},
});
await serveCommands(port + 2, {
  counts: () => ({ subscriptions: channels.subscriptions, sockets: sockets.size }),
  broadcast: () => channels.emitToAll(eventAt(monotonicMs(), 0)),
  startSpread,
  stopSpread,
});
