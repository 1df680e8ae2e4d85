import { Redis } from 'ioredis';
import type { Logger } from '../logger.ts';
import { checkMessage } from './bus.ts';
import type { Bus } from './bus.ts';
import { FanOut } from './fan-out.ts';
import type { Subscriber } from './fan-out.ts';

const PREFIX = 'timbre:bus:';

/** Redis pub/sub: a connection of its own for subscribing (Redis demands it) and one that publishes. */
export function createRedisBus(options: { url: string; log: Logger }): Bus {
  const { log } = options;
  const fanOut = new FanOut(log);
  const publisher = new Redis(options.url, { maxRetriesPerRequest: 3, connectionName: 'timbre-bus-publisher' });
  // ioredis' own resubscription says nothing when it is done, and only then is the gap over.
  const subscriberConnection = new Redis(options.url, {
    autoResubscribe: false,
    maxRetriesPerRequest: null,
    connectionName: 'timbre-bus-subscriber',
  });
  let readyBefore = false;

  for (const connection of [publisher, subscriberConnection]) {
    connection.on('error', (error: unknown) => log.warn({ err: error }, 'bus connection'));
  }
  subscriberConnection.on('message', (channel: string, payload: string) => {
    fanOut.deliver(channel.slice(PREFIX.length), payload);
  });
  subscriberConnection.on('ready', () => {
    if (readyBefore) void resubscribe();
    readyBefore = true;
  });

  async function resubscribe(): Promise<void> {
    try {
      const channels = fanOut.channels();
      if (channels.length > 0) await subscriberConnection.subscribe(...channels.map((channel) => PREFIX + channel));
      log.info('bus reconnected');
      fanOut.reconnected();
    } catch (error) {
      log.warn({ err: error }, 'bus could not subscribe again');
    }
  }

  return {
    async publish(channel, payload) {
      checkMessage(channel, payload);
      try {
        await publisher.publish(PREFIX + channel, payload);
      } catch (error) {
        log.warn({ err: error, channel }, 'bus message lost');
      }
    },

    async subscribe(channel, onMessage, onReconnect) {
      const subscriber: Subscriber = { onMessage, onReconnect };
      fanOut.add(channel, subscriber);
      // Also for a second subscriber: the first one's SUBSCRIBE may still be under way, and it is idempotent.
      await subscriberConnection.subscribe(PREFIX + channel);
      return async () => {
        if (fanOut.remove(channel, subscriber)) await subscriberConnection.unsubscribe(PREFIX + channel);
      };
    },

    async close() {
      publisher.disconnect();
      subscriberConnection.disconnect();
    },
  };
}
