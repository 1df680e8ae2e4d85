import { z } from 'zod';

/** An operation to be prepared before anybody asks for it. There is nothing here of who asked, nor of variables. */
export interface HotOperation {
  query: string;
  operationName: string | null;
  /** Whether who asks reads what is deferred. */
  incremental: boolean;
  /** What those who ask for it may see: the key of an Access. */
  access: string;
}

export interface HotOperations {
  /** Counts one use of what a client was answered by; `describe` is called where it is new. */
  count(identity: object, describe: () => HotOperation): void;
  /** The busiest first. */
  busiest(limit: number): HotOperation[];
  /** The busiest as text, for the next process. */
  save(limit: number): string;
  /**
   * Goes on from what another process saved.
   *
   * @throws SyntaxError or ZodError
   */
  restore(text: string): void;
}

interface Entry {
  operation: HotOperation;
  uses: number;
  forgotten: boolean;
}

const savedSchema = z.object({
  version: z.literal(1),
  operations: z.array(
    z.object({
      query: z.string(),
      operationName: z.string().nullable(),
      incremental: z.boolean(),
      access: z.string(),
      uses: z.number(),
    }),
  ),
});

const MAX_ENTRIES = 500;
/** A longer one is not remembered. */
const MAX_CHARACTERS = 10_000;
/** After so long a use counts half. */
const HALF_LIFE_MS = 5 * 60_000;
const DECAY_EVERY_MS = 30_000;
const FORGOTTEN_BELOW = 0.1;

/** Counts of the busiest operations, bounded and decaying: what was busy yesterday does not stay for ever. */
export function createHotOperations(): HotOperations {
  const entries = new Map<string, Entry>();
  const known = new WeakMap<object, Entry>();
  let decayed = Date.now();

  function forget(key: string, entry: Entry): void {
    entry.forgotten = true;
    entries.delete(key);
  }

  function decay(): void {
    const halves = (Date.now() - decayed) / HALF_LIFE_MS;
    decayed = Date.now();
    for (const [key, entry] of entries) {
      entry.uses *= 0.5 ** halves;
      if (entry.uses < FORGOTTEN_BELOW) forget(key, entry);
    }
  }

  function add(operation: HotOperation): Entry {
    const key = JSON.stringify(operation);
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = { operation, uses: 0, forgotten: false };
      if (operation.query.length > MAX_CHARACTERS) return entry;
      if (entries.size >= MAX_ENTRIES) makeRoom();
      entries.set(key, entry);
    }
    return entry;
  }

  function makeRoom(): void {
    const [idlest] = [...entries].toSorted(([, a], [, b]) => a.uses - b.uses);
    if (idlest !== undefined) forget(...idlest);
  }

  function sorted(limit: number): Entry[] {
    decay();
    return [...entries.values()].toSorted((a, b) => b.uses - a.uses).slice(0, limit);
  }

  return {
    count(identity, describe) {
      if (Date.now() - decayed > DECAY_EVERY_MS) decay();
      let entry = known.get(identity);
      if (entry === undefined || entry.forgotten) {
        entry = add(describe());
        known.set(identity, entry);
      }
      entry.uses += 1;
    },
    busiest: (limit) => sorted(limit).map(({ operation }) => operation),
    save(limit) {
      const operations = sorted(limit).map(({ operation, uses }) => ({ ...operation, uses }));
      return JSON.stringify({ version: 1, operations } satisfies z.input<typeof savedSchema>);
    },
    restore(text) {
      for (const { uses, ...operation } of savedSchema.parse(JSON.parse(text)).operations) add(operation).uses += uses;
    },
  };
}
