import postgres from 'postgres';
import { AppError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { checkMessage } from './bus.ts';
import type { Bus } from './bus.ts';
import { FanOut } from './fan-out.ts';
import type { Subscriber } from './fan-out.ts';

/** The one PostgreSQL channel; ours travel in the payload's first line, so that subscribing costs no round trip. */
const CHANNEL = 'timbre_bus';
const CONNECT_DEADLINE_MS = 10_000;

/** LISTEN/NOTIFY over one listening connection (opened by the first subscriber) and one that publishes. */
export function createPostgresBus(options: { url: string; log: Logger }): Bus {
  const { log } = options;
  const fanOut = new FanOut(log);
  const sql = postgres(options.url, {
    max: 1,
    // A restarting server is back within a second or two: do not sit out postgres.js' default of up to 20 s.
    backoff: (retries: number) => Math.min(0.05 * 2 ** Math.min(retries, 6), 1),
    connection: { application_name: 'timbre-bus' },
    onnotice: () => undefined,
  });

  let listening: Promise<void> | undefined;
  let connections = 0;

  function listen(): Promise<void> {
    listening ??= new Promise((resolve) => {
      // postgres.js listens again by itself after a lost connection and calls `onListen` each time,
      // so a first failure is left to its retries.
      const onListen = () => {
        connections += 1;
        if (connections > 1) {
          log.info('bus reconnected');
          fanOut.reconnected();
        }
        resolve();
      };
      sql
        .listen(CHANNEL, onNotify, onListen)
        .catch((error: unknown) => log.warn({ err: error }, 'bus not connected yet'));
    });
    return listening;
  }

  function onNotify(message: string): void {
    const end = message.indexOf('\n');
    if (end > 0) fanOut.deliver(message.slice(0, end), message.slice(end + 1));
  }

  return {
    async publish(channel, payload) {
      checkMessage(channel, payload);
      await sql.notify(CHANNEL, `${channel}\n${payload}`);
    },

    async subscribe(channel, onMessage, onReconnect) {
      const subscriber: Subscriber = { onMessage, onReconnect };
      fanOut.add(channel, subscriber);
      try {
        await within(CONNECT_DEADLINE_MS, listen());
      } catch (error) {
        fanOut.remove(channel, subscriber);
        throw error;
      }
      return async () => {
        fanOut.remove(channel, subscriber);
      };
    },

    async close() {
      await sql.end({ timeout: 1 });
    },
  };
}

async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new AppError('SERVICE_UNAVAILABLE', 'Live updates are not available at the moment.'));
    }, milliseconds);
  });
  try {
    await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
