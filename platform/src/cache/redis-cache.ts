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
  return {
    async get(key) {
      return (await redis.get(PREFIX + key).catch(tolerate)) ?? undefined;
    },
    async set(key, value, ttlMs) {
      await redis.set(PREFIX + key, value, 'PX', Math.max(1, Math.round(ttlMs))).catch(tolerate);
    },
    async delete(key) {
      await redis.del(PREFIX + key).catch(tolerate);
    },
    async close() {},
  };
}
