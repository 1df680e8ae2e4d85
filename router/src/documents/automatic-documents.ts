import { hash } from 'node:crypto';
import type { Cache } from '@timbre/platform/cache/cache';
import { within } from '@timbre/platform/deadline';
import { LRUCache } from 'lru-cache';
import { malformed } from './persisted-query.ts';

/** Documents that clients have sent once, by the SHA-256 of their text. */
export interface AutomaticDocuments {
  /**
   * @returns null where nobody knows it
   * @throws OperationRefused BAD_REQUEST where it is no hash
   */
  find(id: string): string | null | Promise<string | null>;
  /** @throws OperationRefused BAD_REQUEST where the hash is not that of the text: somebody else's would be answered */
  check(id: string, text: string): void;
  /** Only what has been found valid: the rest would fill the memory with what nobody asks for again. */
  remember(id: string, text: string): void;
}

/** In memory, of all documents together. */
const MAX_CHARACTERS = 4_000_000;
/** A longer document is answered and not remembered. */
const MAX_DOCUMENT_CHARACTERS = 100_000;
const SHARED_TTL_MS = 24 * 60 * 60_000;
/** A client that is told to send the document is served sooner than by a store that is slow. */
const SHARED_PATIENCE_MS = 25;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Known to this process, and to all that share the cache. The key is made of the text alone, so that nobody can put another
 * text in its place; what comes from the shared cache is checked all the same.
 */
export function createAutomaticDocuments(shared: Cache | null): AutomaticDocuments {
  const known = new LRUCache<string, string>({
    maxSize: MAX_CHARACTERS,
    maxEntrySize: MAX_DOCUMENT_CHARACTERS,
    sizeCalculation: (text, id) => text.length + id.length,
  });

  async function findShared(id: string, cache: Cache): Promise<string | null> {
    const late = () => new Error('The shared cache is slow.');
    const text = await within(SHARED_PATIENCE_MS, cache.get(keyOf(id)), late).catch(() => undefined);
    if (text === undefined || hash('sha256', text) !== id) return null;
    known.set(id, text);
    return text;
  }

  return {
    find(id) {
      const text = known.get(id);
      if (text !== undefined) return text;
      if (!SHA256.test(id)) throw notAHash();
      return shared === null ? null : findShared(id, shared);
    },
    check(id, text) {
      if (known.get(id) === text) return;
      if (!SHA256.test(id)) throw notAHash();
      // Lone surrogates are all the same to a hash of UTF-8.
      if (hash('sha256', text) !== id || !text.isWellFormed()) {
        throw malformed('The provided sha256Hash is not that of the query.');
      }
    },
    remember(id, text) {
      if (text.length > MAX_DOCUMENT_CHARACTERS || known.has(id)) return;
      known.set(id, text);
      // Who asks another router meanwhile sends the document there.
      void shared?.set(keyOf(id), text, SHARED_TTL_MS).catch(() => undefined);
    },
  };
}

const keyOf = (id: string) => `document:${id}`;

const notAHash = () => malformed('"extensions.persistedQuery.sha256Hash" must be 64 hexadecimal digits in lower case.');
