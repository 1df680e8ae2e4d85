import { refusal } from '../operations/refusal.ts';
import type { OperationRefused } from '../operations/refusal.ts';

/** What is refused as there is too much to do. */
export const OVERLOADED = {
  status: 503,
  code: 'OVERLOADED',
  message: 'There is too much to do at the moment: try again in a while.',
  headers: { 'retry-after': '1' },
} as const;

interface Waiting {
  since: number;
  admit: () => void;
  refuse: (refused: OperationRefused) => void;
}

/** How long something waits at most before it is begun. */
const PATIENCE_MS = 2_000;
/** What a pause has left behind is begun within the patience. Where somebody waits for longer than that, it is overload. */
const SHORT_PATIENCE_MS = 500;
/** Whoever is at it for longer waits for others, a subgraph that hangs or a client that reads slowly: that is no work of this process. */
const COUNTED_MS = 1_000;
/** How long a turn of the event loop begins what has just come; the rest waits for the next turn. */
const TURN_MS = 10;

/**
 * Lets so many operations run at once in this process; the others wait in line. Who waits for too long is refused, and the
 * sooner the longer somebody has been waiting (as CoDel does, RFC 8289): an answer that comes later than anybody waits for it,
 * and what is too old to be kept when it comes, are work for nothing, and who does such work does not catch up.
 *
 * However many requests come at once, turns of the event loop stay short: new connections are accepted, health is told, and
 * what is under way is ended before anything is begun.
 */
export class Admission {
  #running = 0;
  readonly #limit: () => number;
  readonly #line: Waiting[] = [];
  #lineSince = 0;
  #refusedAt = -Infinity;
  #turnEnds = 0;
  #turn: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Whoever came now would wait for too long. */
  get isOverloaded(): boolean {
    const [first] = this.#line;
    if (first === undefined) return false;
    const now = performance.now();
    return now - first.since >= this.#patience(now);
  }

  /** Undefined where it may begin at once; else for when it may. @throws OperationRefused with OVERLOADED, also later */
  wait(): Promise<void> | undefined {
    const limit = this.#limit();
    if (limit === Infinity) return undefined;
    if (this.isOverloaded) throw overloaded();
    const now = performance.now();
    if (this.#turn === null) {
      this.#turnEnds = now + TURN_MS;
      this.#nextTurn();
    }
    if (this.#line.length === 0) {
      if (this.#running < limit && now < this.#turnEnds) return undefined;
      // A line that is empty because all were refused is no end of the overload.
      if (now - this.#refusedAt > PATIENCE_MS) this.#lineSince = now;
      if (this.#timer === null) this.#timer = setTimeout(this.#refuseLate, this.#patience(now)).unref();
    }
    return new Promise((admit, refuse) => this.#line.push({ since: now, admit, refuse }));
  }

  /** Counts as running for a second at most. @returns to be called when it has ended */
  begin(): () => void {
    if (this.#limit() === Infinity) return () => undefined;
    let isCounted = true;
    const end = (): void => {
      if (!isCounted) return;
      isCounted = false;
      clearTimeout(timer);
      this.#running -= 1;
      if (this.#line.length > 0) this.#nextTurn();
    };
    const timer = setTimeout(end, COUNTED_MS).unref();
    this.#running += 1;
    return end;
  }

  #patience(now: number): number {
    return now - this.#lineSince >= PATIENCE_MS ? SHORT_PATIENCE_MS : PATIENCE_MS;
  }

  #nextTurn(): void {
    this.#turn ??= setImmediate(this.#takeTurn);
  }

  readonly #takeTurn = (): void => {
    this.#turn = null;
    this.#admit();
  };

  #admit(): void {
    const room = Math.max(0, Math.min(this.#limit() - this.#running, this.#line.length));
    for (const { admit } of this.#line.splice(0, room)) admit();
    // Those that were admitted may end before they count. Without room, the next that ends makes some.
    if (room > 0 && this.#line.length > 0) this.#nextTurn();
  }

  readonly #refuseLate = (): void => {
    this.#timer = null;
    // First, as in a process that is starved all are late in each of its few turns: it would only refuse.
    this.#admit();
    const now = performance.now();
    const patience = this.#patience(now);
    const inTime = this.#line.findIndex(({ since }) => now - since < patience);
    const late = this.#line.splice(0, inTime === -1 ? this.#line.length : inTime);
    if (late.length > 0) this.#refusedAt = now;
    for (const { refuse } of late) refuse(overloaded());
    const [first] = this.#line;
    if (first !== undefined) this.#timer = setTimeout(this.#refuseLate, first.since + patience - now).unref();
  };
}

function overloaded(): OperationRefused {
  return refusal(OVERLOADED.code, OVERLOADED.message, {}, OVERLOADED);
}
