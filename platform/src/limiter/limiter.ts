export interface LimitResult {
  allowed: boolean;
  /** Points left in the current window. */
  remaining: number;
  /** How long until points come back; 0 while allowed. */
  retryAfterMs: number;
}

/** Points per key and window. A refused call consumes nothing that the window's end does not give back. */
export interface Limiter {
  consume(key: string, points?: number): Promise<LimitResult>;
}

/** One that answers at once: for limits that are asked at every request. */
export interface PromptLimiter {
  consume(key: string, points?: number): LimitResult;
}

export interface LimiterOptions {
  /** Keeps one limiter's keys apart from another's. */
  name: string;
  points: number;
  durationSeconds: number;
}
