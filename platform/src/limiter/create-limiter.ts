import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Limiter, LimiterOptions } from './limiter.ts';

/**
 * Fixed windows, counted in this process or, with a Redis, over all processes. While Redis is away
 * each process counts for itself: limits become looser, requests go on.
 */
export function createLimiter(options: LimiterOptions, redis?: Redis): Limiter {
  const settings = {
    keyPrefix: `timbre:limit:${options.name}`,
    points: options.points,
    duration: options.durationSeconds,
  };
  const memory = new RateLimiterMemory(settings);
  const limiter =
    redis === undefined
      ? memory
      : new RateLimiterRedis({
          ...settings,
          storeClient: redis,
          insuranceLimiter: memory,
          rejectIfRedisNotReady: true,
        });

  return {
    async consume(key, points = 1) {
      try {
        const { remainingPoints } = await limiter.consume(key, points);
        return { allowed: true, remaining: remainingPoints, retryAfterMs: 0 };
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        return { allowed: false, remaining: refusal.remainingPoints, retryAfterMs: Math.max(1, refusal.msBeforeNext) };
      }
    },
  };
}
