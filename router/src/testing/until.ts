import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 5;

/** Resolves when a condition holds of which nobody tells; the test's own timeout bounds it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(EVERY_MS);
}
