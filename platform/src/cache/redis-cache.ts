import type { Redis } from 'ioredis';
import type { Logger } from '../logger.ts';
import type { Cache } from './cache.ts';

const PREFIX = 'timbre:cache:';

/** A Redis that is away is an empty cache, not an error. Does not own the connection. */
export function createRedisCache(options: { redis: Redis; log: Logger }): Cache {
  const { redis, log } = options;
  const tolerate = (error: unknown) => {
    log.warn({ err: error }, 'cache not available');
    return undefined;
  };
  // Without this a command would wait for the next attempt to connect.
  const away = () => redis.status !== 'ready';
  return {
    async get(key) {
      if (away()) return undefined;
      return (await redis.get(PREFIX + key).catch(tolerate)) ?? undefined;
    },
    async set(key, value, ttlMs) {
      if (away()) return;
      await redis.set(PREFIX + key, value, 'PX', Math.max(1, Math.round(ttlMs))).catch(tolerate);
    },
    async delete(key) {
      if (away()) return;
      await redis.del(PREFIX + key).catch(tolerate);
    },
    async close() {},
  };
}
