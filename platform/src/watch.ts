/** Something in flight that has to be looked after. */
export interface Watched {
  /** Its place among the others, which the watch keeps there. */
  slot: number;
  /** @param now on the clock of `performance.now()` */
  check(now: number): void;
}

export interface Watch {
  add(entry: Watched): void;
  delete(entry: Watched): void;
}

/**
 * Looks at everything in flight each `everyMs`. One timer in place of a timer for each deadline and a listener
 * for each client that may leave, which would cost a tenth of a call and are hardly ever needed; the price is that
 * both are noticed up to `everyMs` late.
 *
 * An array, as a set that is added to and deleted from all the time leaves tables behind in the old generation, and
 * they keep what was in them from the young one's collector: a third of a call's time was spent there.
 */
export function createWatch(everyMs: number): Watch {
  const entries: Watched[] = [];
  let timer: NodeJS.Timeout | undefined;

  function tick(): void {
    timer = undefined;
    const now = performance.now();
    // From the end: an entry that is deleted meanwhile gives its place to one that was looked at.
    for (let slot = entries.length - 1; slot >= 0; slot -= 1) entries[slot]?.check(now);
    if (entries.length > 0) arm();
  }

  function arm(): void {
    timer = setTimeout(tick, everyMs).unref();
  }

  return {
    add(entry) {
      entry.slot = entries.length;
      entries.push(entry);
      if (timer === undefined) arm();
    },
    delete(entry) {
      const last = entries.pop();
      if (last === undefined || last === entry) return;
      last.slot = entry.slot;
      entries[entry.slot] = last;
    },
  };
}
