import { isData, isList } from '../execution/data.ts';
import { bytesOf } from './data-size.ts';
import type { Keeping } from './keeping.ts';

/** What holds for all that came in one answer. */
export interface Origin extends Keeping {
  /** Where the sequence of changes was before it was asked for. */
  readonly asOf: number;
  /** Of the timeline. */
  readonly reign: number;
  /** At which version of the invalidations nothing had changed that all of it is made of. */
  checked: number;
}

/** An answer to a root fetch, or one entity. */
export interface Entry {
  readonly origin: Origin;
  /** Not to be changed: others get it, too. */
  readonly data: unknown;
  /** What it is made of beside what all of its answer is; null until somebody wants to know. */
  ownTags: readonly string[] | null;
  /** Like its origin's, for its own tags. */
  checked: number;
  /** Where the sequence of changes was when the store last said that nothing of it had changed. */
  confirmed: number;
}

/** An answer as it came. */
export interface WholeAnswer {
  origin: Origin;
  /** JSON, with what is wanted in `data`. */
  text: string;
  /** Its parts: all of a root fetch's, each entity of others, in their order. */
  keys: readonly string[];
  kind: 'root' | 'entities';
}

/**
 * What this process keeps, the most recently used. An answer is kept as its text, which takes next to no time, as most are
 * never asked for again. Once a part of it is, each part is kept by itself.
 */
export interface Entries {
  readonly bytes: number;
  readonly count: number;
  /** What is kept under a prefix; undefined where nothing is. */
  under(prefix: string): Shelf | undefined;
  keepAnswer(prefix: string, answer: WholeAnswer): void;
  keepEntry(prefix: string, key: string, entry: NewEntry): void;
}

export type NewEntry = Pick<Entry, 'origin' | 'data' | 'ownTags'>;

export interface Shelf {
  /** @param isUsable whether what came in an answer can be of use: asked before the answer is looked into */
  find(key: string, isUsable: (origin: Origin) => boolean): Entry | undefined;
}

export interface EntriesOptions {
  maxBytes: number;
  onEvicted: (count: number) => void;
}

/** One that would take more than this part of the space is not kept: too many others would have to go. */
const MAX_SHARE = 8;
/** Of an item and of a key, beside what they hold. */
const ITEM_BYTES = 250;
const KEY_BYTES = 50;

/** Has a place in the order of last use: a linked list. */
class Used {
  newer: Item | null = null;
  older: Item | null = null;
  readonly shelf: Items;
  readonly bytes: number;

  constructor(shelf: Items, bytes: number) {
    this.shelf = shelf;
    this.bytes = bytes;
  }
}

class SealedAnswer extends Used {
  readonly origin: Origin;
  readonly keys: readonly string[];
  readonly text: string;
  readonly kind: WholeAnswer['kind'];
  /** How many of its keys lead to it. */
  left = 0;

  constructor(shelf: Items, bytes: number, { origin, keys, text, kind }: WholeAnswer) {
    super(shelf, bytes);
    this.origin = origin;
    this.keys = keys;
    this.text = text;
    this.kind = kind;
  }
}

class KeptEntry extends Used implements Entry {
  readonly origin: Origin;
  readonly keys: readonly string[];
  readonly data: unknown;
  ownTags: readonly string[] | null;
  checked = -1;
  confirmed = -1;

  constructor(shelf: Items, key: string, { origin, data, ownTags }: NewEntry) {
    super(shelf, ITEM_BYTES + KEY_BYTES + key.length + bytesOf(data));
    this.origin = origin;
    this.keys = [key];
    this.data = data;
    this.ownTags = ownTags;
  }
}

type Item = SealedAnswer | KeptEntry;

interface Items extends Shelf {
  readonly prefix: string;
  readonly byKey: Map<string, Item>;
}

export function createEntries({ maxBytes, onEvicted }: EntriesOptions): Entries {
  const shelves = new Map<string, Items>();
  let newest: Item | null = null;
  let oldest: Item | null = null;
  let bytes = 0;
  let count = 0;

  function link(item: Item): void {
    item.newer = null;
    item.older = newest;
    if (newest === null) oldest = item;
    else newest.newer = item;
    newest = item;
  }

  function unlink(item: Item): void {
    const { newer, older } = item;
    if (newer === null) newest = older;
    else newer.older = older;
    if (older === null) oldest = newer;
    else older.newer = newer;
  }

  function remove(item: Item): void {
    bytes -= item.bytes;
    unlink(item);
  }

  function add(item: Item, keys: readonly string[]): void {
    const { byKey } = item.shelf;
    bytes += item.bytes;
    link(item);
    for (const key of keys) {
      const before = byKey.get(key);
      if (before === item) continue;
      byKey.set(key, item);
      if (item instanceof SealedAnswer) item.left += 1;
      if (before === undefined) count += 1;
      else if (before instanceof KeptEntry) remove(before);
      else if ((before.left -= 1) === 0) remove(before);
    }
  }

  function evictOldest(): void {
    for (let item = oldest; item !== null && bytes > maxBytes; item = oldest) {
      const { byKey, prefix } = item.shelf;
      const before = byKey.size;
      for (const key of item.keys) if (byKey.get(key) === item) byKey.delete(key);
      const gone = before - byKey.size;
      remove(item);
      count -= gone;
      if (byKey.size === 0) shelves.delete(prefix);
      onEvicted(gone);
    }
  }

  function shelfOf(prefix: string): Items {
    const known = shelves.get(prefix);
    if (known !== undefined) return known;
    const byKey = new Map<string, Item>();
    const shelf: Items = {
      prefix,
      byKey,
      find(key, isUsable) {
        const item = byKey.get(key);
        if (item === undefined || !isUsable(item.origin)) return undefined;
        if (item instanceof SealedAnswer) return open(item, key);
        if (item !== newest) {
          unlink(item);
          link(item);
        }
        return item;
      },
    };
    shelves.set(prefix, shelf);
    return shelf;
  }

  /** What else is in it counts as used, too: parts that came together are often asked for together. */
  function open(answer: SealedAnswer, wanted: string): Entry | undefined {
    const { shelf, origin, keys } = answer;
    let found: Entry | undefined;
    for (const [index, data] of partsOf(answer).entries()) {
      const key = keys[index];
      if (key === undefined || shelf.byKey.get(key) !== answer) continue;
      const entry = new KeptEntry(shelf, key, { origin, data, ownTags: null });
      add(entry, entry.keys);
      if (key === wanted) found = entry;
    }
    evictOldest();
    return found;
  }

  return {
    get bytes() {
      return bytes;
    },
    get count() {
      return count;
    },
    under: (prefix) => shelves.get(prefix),
    keepAnswer(prefix, answer) {
      let size = ITEM_BYTES + answer.text.length;
      for (const key of answer.keys) size += KEY_BYTES + key.length;
      if (size > maxBytes / MAX_SHARE) return;
      add(new SealedAnswer(shelfOf(prefix), size, answer), answer.keys);
      evictOldest();
    },
    keepEntry(prefix, key, entry) {
      const kept = new KeptEntry(shelfOf(prefix), key, entry);
      add(kept, kept.keys);
      evictOldest();
    },
  };
}

function partsOf({ text, kind }: SealedAnswer): readonly unknown[] {
  const json: unknown = JSON.parse(text);
  const data = isData(json) ? json['data'] : undefined;
  if (kind === 'root') return [data];
  const entities = isData(data) ? data['_entities'] : undefined;
  return isList(entities) ? entities : [];
}
