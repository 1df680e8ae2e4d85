import type { Callback, ChainableCommander, Redis } from 'ioredis';

/** Commands to a Redis, in turns: a packet costs more than what is in it, there and here. */
export interface Turns {
  /** @param add adds one command to the next turn. @throws what Redis says, or that it is not there */
  send<T>(add: (turn: ChainableCommander, answered: Callback<T>) => void): Promise<T | undefined>;
}

interface Sending {
  add: (turn: ChainableCommander) => void;
  fail: (error: unknown) => void;
}

/** A Redis that takes longer is not also waited for before it is asked. */
const PATIENCE_MS = 5;

/** What comes while a turn is on its way waits for its answer, so that the more there is to do, the more goes at once. */
export function createTurns(redis: Redis): Turns {
  let next: Sending[] = [];
  let isDue = false;
  let current: ChainableCommander | null = null;

  /** When all else that has come by now has been looked at: it may have more to send. */
  function plan(): void {
    if (isDue || current !== null || next.length === 0) return;
    isDue = true;
    setImmediate(begin);
  }

  function begin(): void {
    const sending = next;
    const turn = redis.pipeline();
    next = [];
    isDue = false;
    current = turn;
    for (const { add } of sending) add(turn);
    const end = (): void => {
      clearTimeout(timer);
      if (current !== turn) return;
      current = null;
      plan();
    };
    const timer = setTimeout(end, PATIENCE_MS);
    turn.exec().then(end, (error: unknown) => {
      for (const { fail } of sending) fail(error);
      end();
    });
  }

  return {
    send: (add) =>
      new Promise((resolve, reject) => {
        next.push({
          add: (turn) =>
            add(turn, (error, value) => {
              if (error) reject(error);
              else resolve(value);
            }),
          fail: reject,
        });
        plan();
      }),
  };
}
