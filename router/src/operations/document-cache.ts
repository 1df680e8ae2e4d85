import { LRUCache } from 'lru-cache';

/**
 * Of each cache. A parsed document of nothing but short tokens takes 130 bytes a character: what anybody may send must
 * not fill the heap.
 */
const MAX_CHARACTERS = 1_000_000;

/** Something by document, or by a key that has a document in it; bounded by number and by the length of the keys. */
export type DocumentCache<V extends object> = LRUCache<string, V>;

export function createDocumentCache<V extends object>(max: number): DocumentCache<V> {
  return new LRUCache<string, V>({ max, maxSize: MAX_CHARACTERS, sizeCalculation: (_value, key) => key.length + 1 });
}

export function remember<V extends object>(cache: LRUCache<string, V>, key: string, make: () => V): V {
  let value = cache.get(key);
  if (value === undefined) {
    value = make();
    cache.set(key, value);
  }
  return value;
}
