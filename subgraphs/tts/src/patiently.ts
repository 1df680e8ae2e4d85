import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@timbre/platform/logger';

/** The database's own words for "not now": it stops, starts, recovers, is full, or two transactions collided. */
const PASSING_STATES = /^(?:57P0[123]|08\w{3}|53300|40001|40P01|25P0[34])$/;
const PASSING_SYSTEM_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOENT']);
/** node-postgres gives these no code. */
const PASSING_MESSAGES =
  /connection terminated|not queryable|timeout exceeded when trying to connect|connection error/i;

/** Whether the database, and not the statement, is what failed. */
export function isDatabaseOutage(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause ? cause.code : undefined;
    if (typeof code === 'string') {
      if (PASSING_STATES.test(code)) return true;
      if (PASSING_SYSTEM_CODES.has(code) && 'syscall' in cause && cause.syscall !== 'open') return true;
    }
    if (PASSING_MESSAGES.test(cause.message)) return true;
    if (cause instanceof AggregateError && cause.errors.some(isDatabaseOutage)) return true;
  }
  return false;
}

const WAIT_MS = { first: 50, most: 1_000 };

/**
 * Runs `work` until the database has done it: a restart of the database delays the work and fails nothing. `work` must
 * bear being run again after it had committed unnoticed. Any other error is thrown; when the signal aborts, its reason.
 */
export async function patiently<T>(
  { log, signal }: { log: Logger; signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  for (let wait = WAIT_MS.first; ; wait = Math.min(wait * 2, WAIT_MS.most)) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isDatabaseOutage(error)) throw error;
      log.warn({ err: rootCause(error) }, 'the database is not there; trying again');
      await delay(wait, undefined, { signal }).catch(() => {});
    }
  }
}

/** The driver's own error: the one around it quotes the statement's parameters, which may be somebody's text. */
export function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? rootCause(error.cause) : error;
}
