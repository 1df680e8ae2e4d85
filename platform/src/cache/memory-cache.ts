import { LRUCache } from 'lru-cache';
import type { Cache } from './cache.ts';

/** In this process, bounded by the sum of the values' lengths. */
export function createMemoryCache(options: { maxCharacters?: number } = {}): Cache {
  const entries = new LRUCache<string, string>({
    maxSize: options.maxCharacters ?? 32 * 1024 * 1024,
    sizeCalculation: (value, key) => value.length + key.length + 1,
  });
  return {
    async get(key) {
      return entries.get(key);
    },
    async set(key, value, ttlMs) {
      entries.set(key, value, { ttl: ttlMs });
    },
    async delete(key) {
      entries.delete(key);
    },
    async close() {
      entries.clear();
    },
  };
}
