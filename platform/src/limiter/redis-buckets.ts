import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { BucketSize, SharedBuckets } from './shared-buckets.ts';

const PREFIX = 'timbre:bucket:';

/**
 * One bucket is a hash of what was there (`a`) and when (`t`, in ms by the clock of Redis); a full one is not kept. A clock
 * that goes back restores nothing.
 */
const SCRIPT = `
local limit, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local needed, ontop = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'a', 't')
local available = tonumber(known[1]) or limit
local since = tonumber(known[2]) or now
if now > since then available = available + (now - since) * rate / 1000 end
local granted = needed
if ontop >= 0 and needed > 0 and available < needed then granted = 0
elseif ontop > 0 and available - needed - ontop >= limit / 2 then granted = needed + ontop end
available = math.max(-limit, math.min(limit, available - granted))
if available >= limit then redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'a', string.format('%.17g', available), 't', string.format('%d', now))
  redis.call('PEXPIRE', KEYS[1], math.min(604800000, math.ceil((limit - available) * 1000 / rate) + 1000))
end
return {string.format('%.17g', granted), string.format('%.17g', available)}
`;
/** On top: the points are taken whether or not they are there. */
const WHATEVER = -1;
const SHA = createHash('sha1').update(SCRIPT).digest('hex');

const replySchema = z.tuple([z.string().transform(Number), z.string().transform(Number)]);

/** In Redis, each take one script: atomic whoever else takes. Does not own the connection. */
export function createRedisBuckets(redis: Redis): SharedBuckets {
  async function run(key: string, { limit, restoreRate }: BucketSize, needed: number, onTop: number) {
    const parameters = [PREFIX + key, limit, restoreRate, needed, onTop] as const;
    const reply: unknown = await redis.evalsha(SHA, 1, ...parameters).catch((error: unknown) => {
      if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return redis.eval(SCRIPT, 1, ...parameters);
      throw error;
    });
    const [granted, available] = replySchema.parse(reply);
    return { granted, available };
  }
  return {
    ready: () => redis.status === 'ready',
    take: (key, size, { needed, onTop }) => run(key, size, needed, onTop),
    async give(key, size, points) {
      await run(key, size, -points, WHATEVER);
    },
  };
}
