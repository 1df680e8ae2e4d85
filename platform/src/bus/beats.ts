const SLOTS = 20;

interface Beat {
  slots: Set<() => void>[];
  current: number;
  members: number;
  timer: NodeJS.Timeout;
}

const beats = new Map<number, Beat>();

/**
 * Calls `call` every `everyMs` milliseconds, first after that time. Those whose turns are less than a twentieth of it apart are
 * called together, so that ten thousand who look whether anything is new can ask in twenty queries instead of ten thousand.
 *
 * @returns what ends it
 */
export function onBeat(everyMs: number, call: () => void): () => void {
  const beat = beats.get(everyMs) ?? startBeat(everyMs);
  const slot = beat.slots[beat.current];
  slot?.add(call);
  beat.members += 1;
  return () => {
    if (slot?.delete(call) !== true) return;
    beat.members -= 1;
    if (beat.members > 0) return;
    clearInterval(beat.timer);
    beats.delete(everyMs);
  };
}

function startBeat(everyMs: number): Beat {
  const beat: Beat = {
    slots: Array.from({ length: SLOTS }, () => new Set()),
    current: 0,
    members: 0,
    timer: setInterval(() => {
      beat.current = (beat.current + 1) % SLOTS;
      for (const call of beat.slots[beat.current] ?? []) call();
    }, everyMs / SLOTS),
  };
  beats.set(everyMs, beat);
  return beat;
}
