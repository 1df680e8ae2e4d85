import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import { isAborted, within } from '../deadline.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { checkMessage } from './bus.ts';
import type { Bus } from './bus.ts';
import { FanOut } from './fan-out.ts';
import type { Subscriber } from './fan-out.ts';

/** The one PostgreSQL channel; ours travel in the payload's first line, so that subscribing costs no round trip. */
const CHANNEL = 'timbre_bus';
const SUBSCRIBE_DEADLINE_MS = 10_000;
const FIRST_DELAY_MS = 25;
const LAST_DELAY_MS = 1_000;
const CONNECT_DEADLINE_MS = 5_000;

/** LISTEN/NOTIFY over one listening connection, opened by the first subscriber, and one that publishes. */
export function createPostgresBus(options: { url: string; log: Logger }): Bus {
  const { log } = options;
  const fanOut = new FanOut(log);
  const connection = {
    connectionString: options.url,
    application_name: 'timbre-bus',
    connectionTimeoutMillis: CONNECT_DEADLINE_MS,
    keepAlive: true,
  };
  const publisher = new Pool({ ...connection, max: 1 });
  publisher.on('error', (error) => log.debug({ err: error }, 'bus connection'));

  const stop = new AbortController();
  const listening = Promise.withResolvers<void>();
  let listener: Client | undefined;
  let loop: Promise<void> | undefined;

  /** Listens until the bus is closed, and says after every gap that messages may have been missed. */
  async function keepListening(): Promise<void> {
    let delay = FIRST_DELAY_MS;
    let connectedBefore = false;
    while (!stop.signal.aborted) {
      try {
        await listenOnce(() => {
          delay = FIRST_DELAY_MS;
          listening.resolve();
          if (connectedBefore) {
            log.info('bus reconnected');
            fanOut.reconnected();
          }
          connectedBefore = true;
        });
      } catch (error) {
        if (!isAborted(stop.signal)) log.warn({ err: error }, 'bus not connected');
      }
      await sleep(delay, undefined, { signal: stop.signal }).catch(() => undefined);
      delay = Math.min(delay * 2, LAST_DELAY_MS);
    }
  }

  /** Resolves or rejects when the connection is gone. */
  async function listenOnce(onListening: () => void): Promise<void> {
    const client = new Client(connection);
    const ended = new Promise<void>((resolve) => {
      client.once('end', resolve);
      client.on('error', () => resolve());
    });
    client.on('notification', ({ payload = '' }) => {
      const end = payload.indexOf('\n');
      if (end > 0) fanOut.deliver(payload.slice(0, end), payload.slice(end + 1));
    });
    listener = client;
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      onListening();
      await ended;
    } finally {
      listener = undefined;
      await client.end().catch(() => undefined);
    }
  }

  return {
    async publish(channel, payload) {
      checkMessage(channel, payload);
      try {
        await publisher.query('SELECT pg_notify($1, $2)', [CHANNEL, `${channel}\n${payload}`]);
      } catch (error) {
        log.warn({ err: error, channel }, 'bus message lost');
      }
    },

    async subscribe(channel, onMessage, onReconnect) {
      const subscriber: Subscriber = { onMessage, onReconnect };
      fanOut.add(channel, subscriber);
      loop ??= keepListening();
      try {
        await within(SUBSCRIBE_DEADLINE_MS, listening.promise, notAvailable);
      } catch (error) {
        fanOut.remove(channel, subscriber);
        throw error;
      }
      return async () => {
        fanOut.remove(channel, subscriber);
      };
    },

    async close() {
      stop.abort();
      await Promise.all([listener?.end().catch(() => undefined), publisher.end()]);
      await loop;
    },
  };
}

function notAvailable(): AppError {
  return new AppError('SERVICE_UNAVAILABLE', 'Live updates are not available at the moment.');
}
