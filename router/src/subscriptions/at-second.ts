/** The longest that a timer of Node can wait; longer ones would fire at once. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** What is called at each second that something waits for. */
const waiting = new Map<number, Set<() => void>>();

/**
 * Calls at a second of unix time. One timer for all who wait for the same one: tokens end at
 * whole seconds, and there can be very many subscriptions.
 *
 * @returns what calls it off
 */
export function atSecond(second: number, call: () => void): () => void {
  let calls = waiting.get(second);
  if (calls === undefined) {
    calls = new Set();
    waiting.set(second, calls);
    wait(second, calls);
  }
  calls.add(call);
  const all = calls;
  return () => void all.delete(call);
}

function wait(second: number, calls: Set<() => void>): void {
  const left = second * 1000 - Date.now();
  setTimeout(
    () => {
      if (second * 1000 > Date.now() && calls.size > 0) {
        wait(second, calls);
        return;
      }
      waiting.delete(second);
      for (const call of calls) call();
    },
    Math.min(MAX_TIMEOUT_MS, Math.max(0, left)),
  ).unref();
}
