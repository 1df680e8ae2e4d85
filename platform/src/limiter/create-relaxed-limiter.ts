import type { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { FixedWindows } from './fixed-windows.ts';
import type { LimiterOptions, PromptLimiter } from './limiter.ts';

/** Who has taken less than this share of their points in this process is not reported to the others. */
const QUIET_SHARE = 0.1;
const REPORT_EVERY_MS = 100;
/** Of keys that wait to be reported. */
const MAX_REPORTS = 10_000;

/**
 * Fixed windows for limits that are asked at every request: counted in this process, without waiting for anything. With a
 * Redis, those who take many points are reported to it ten times a second, and blocked here when all processes together
 * have given them what they may take.
 *
 * So of N points a key gets at most N + P × (N / 10 + what comes within a tenth of a second) in a window from P processes,
 * and never more than P × N; one that asks steadily gets about N. While Redis is away or slow each process counts for itself.
 */
export function createRelaxedLimiter(options: LimiterOptions, redis?: Redis): PromptLimiter {
  const settings = {
    keyPrefix: `timbre:limit:${options.name}`,
    points: options.points,
    duration: options.durationSeconds,
  };
  const local = new FixedWindows(options);
  if (redis === undefined) return { consume: (key, points = 1) => local.consume(key, points) };
  const shared = new RateLimiterRedis({ ...settings, storeClient: redis, rejectIfRedisNotReady: true });
  const quiet = Math.floor(options.points * QUIET_SHARE);
  const reports = new Map<string, number>();
  let reporting = false;

  function report(key: string, points: number): void {
    const waiting = reports.get(key);
    if (waiting === undefined && reports.size >= MAX_REPORTS) return;
    reports.set(key, (waiting ?? 0) + points);
    if (reporting) return;
    reporting = true;
    setTimeout(() => void sendReports(), REPORT_EVERY_MS).unref();
  }

  async function sendReports(): Promise<void> {
    const started = performance.now();
    const batch = [...reports];
    reports.clear();
    await Promise.all(batch.map(([key, points]) => sendReport(key, points)));
    // What was counted in a window that has ended says nothing about this one.
    if (performance.now() - started > options.durationSeconds * 1000) reports.clear();
    reporting = reports.size > 0;
    if (reporting) setTimeout(() => void sendReports(), REPORT_EVERY_MS).unref();
  }

  async function sendReport(key: string, points: number): Promise<void> {
    try {
      await shared.consume(key, points);
    } catch (refusal) {
      // Anything else is Redis, which need not be there.
      if (refusal instanceof RateLimiterRes) local.block(key, refusal.msBeforeNext);
    }
  }

  return {
    consume(key, points = 1) {
      const result = local.consume(key, points);
      const consumed = options.points - result.remaining;
      if (result.allowed && consumed > quiet) report(key, consumed - points <= quiet ? consumed : points);
      return result;
    },
  };
}
