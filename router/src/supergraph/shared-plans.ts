import { hash } from 'node:crypto';
import type { QueryPlan } from '@apollo/query-planner';
import type { Cache } from '@timbre/platform/cache/cache';
import { within } from '@timbre/platform/deadline';
import type { Logger } from '@timbre/platform/logger';
import { parseQueryPlan } from './query-plan-schema.ts';

export interface SharedPlansOptions {
  cache: Cache;
  log: Logger;
  /** What plans depend on beside the document: planner and supergraph. */
  scope: string;
}

/** Plans stay right for ever; this is for those that nobody asks for any more. */
const KEPT_MS = 7 * 24 * 3_600_000;
/** Longer than a cache takes, shorter than a planner may. */
const PATIENCE_MS = 200;
/** Larger plans are rare, and a cache that many share is not for them. */
const MAX_CHARACTERS = 512 * 1024;

/**
 * Asks the cache before the planner, and tells it what the planner made. A cache that is away, late or holds
 * something else than plans costs that patience at most; it fails nothing.
 */
export function sharePlans(
  plan: (document: string, overrides?: readonly string[]) => Promise<string>,
  { cache, log, scope }: SharedPlansOptions,
): (document: string, overrides?: readonly string[]) => Promise<QueryPlan> {
  const notice = (error: unknown) => log.warn({ err: error }, 'the shared plans are not available');

  async function known(key: string): Promise<QueryPlan | undefined> {
    const late = () => new Error(`no answer within ${PATIENCE_MS} ms`);
    const json = await within(PATIENCE_MS, cache.get(key), late).catch(notice);
    if (typeof json !== 'string') return undefined;
    try {
      return parseQueryPlan(json);
    } catch (error) {
      log.warn({ err: error, key }, 'what is kept as a shared plan is none');
      return undefined;
    }
  }

  return async (document, overrides = []) => {
    const key = `plan:${scope}:${hash('sha256', [...overrides, document].join('\n'))}`;
    const shared = await known(key);
    if (shared !== undefined) return shared;
    const json = await plan(document, overrides);
    if (json.length <= MAX_CHARACTERS) void cache.set(key, json, KEPT_MS).catch(notice);
    return parseQueryPlan(json);
  };
}
