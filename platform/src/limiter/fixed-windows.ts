import type { LimiterOptions, LimitResult } from './limiter.ts';

interface Window {
  consumed: number;
  /** By `performance.now()`. */
  endsAt: number;
}

/** Forgetting begins here. */
const MIN_SWEPT = 10_000;

/**
 * Points per key in windows that begin with a key's first point, counted in this process: what a limiter that is asked at
 * every request does each time. rate-limiter-flexible's own makes a promise, a result and a timer for each window.
 */
export class FixedWindows {
  readonly #points: number;
  readonly #durationMs: number;
  readonly #windows = new Map<string, Window>();
  #sweepAt = MIN_SWEPT;

  constructor({ points, durationSeconds }: Pick<LimiterOptions, 'points' | 'durationSeconds'>) {
    this.#points = points;
    this.#durationMs = durationSeconds * 1000;
  }

  consume(key: string, points: number): LimitResult {
    const now = performance.now();
    const window = this.#windowOf(key, now);
    window.consumed += points;
    const remaining = Math.max(0, this.#points - window.consumed);
    const allowed = window.consumed <= this.#points;
    return { allowed, remaining, retryAfterMs: allowed ? 0 : Math.max(1, Math.ceil(window.endsAt - now)) };
  }

  /** Gives the key nothing for so long. */
  block(key: string, ms: number): void {
    const now = performance.now();
    const window = this.#windowOf(key, now);
    window.consumed = this.#points + 1;
    window.endsAt = now + ms;
  }

  #windowOf(key: string, now: number): Window {
    let window = this.#windows.get(key);
    if (window === undefined) {
      if (this.#windows.size >= this.#sweepAt) this.#sweep(now);
      window = { consumed: 0, endsAt: now + this.#durationMs };
      this.#windows.set(key, window);
    } else if (window.endsAt <= now) {
      window.consumed = 0;
      window.endsAt = now + this.#durationMs;
    }
    return window;
  }

  /** The windows that are over stay until there are twice as many as were open at the last look. */
  #sweep(now: number): void {
    for (const [key, { endsAt }] of this.#windows) if (endsAt <= now) this.#windows.delete(key);
    this.#sweepAt = Math.max(MIN_SWEPT, this.#windows.size * 2);
  }
}
