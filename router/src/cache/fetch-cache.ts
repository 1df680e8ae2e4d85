import { createHash } from 'node:crypto';
import { copyData, isData, isList } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';
import type { SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import type { CacheView, Kept } from './cache-view.ts';
import { canonicalJson } from './canonical-json.ts';
import { joinEntities, partOfBatch } from './entity-batch.ts';
import type { Entries, Entry } from './entries.ts';
import { keepData } from './kept-data.ts';
import { keepingOf } from './keeping.ts';
import type { Keeping, KeepingRules } from './keeping.ts';
import type { KnownFetch } from './known-fetch.ts';
import type { LookupMetrics } from './lookup-metrics.ts';
import { changedForAllIn, changedIn } from './reach.ts';
import type { SharedEntries } from './shared-entries.ts';
import type { Standpoint, Timeline } from './timeline.ts';

export interface FetchCache {
  /** The answer to a query's fetch, as far as possible from the cache. @throws SubgraphFailure */
  fetch(known: KnownFetch, request: SubgraphRequest, view: CacheView): Promise<SubgraphResponse>;
}

export interface FetchCacheParts {
  timeline: Timeline;
  entries: Entries;
  shared: SharedEntries | null;
  rulesOf: (subgraph: string) => KeepingRules;
  metricsOf: (subgraph: string) => LookupMetrics;
}

/** One thing that is looked for: a whole root fetch, or one entity of a batch. */
interface Part {
  /** What tells it apart from other answers to the operation. */
  rest: string;
  representation: Data | null;
}

/** A fetch under way, with what of it was found. */
interface Lookup {
  known: KnownFetch;
  request: SubgraphRequest;
  view: CacheView;
  standpoint: Standpoint;
  /** What is older, or shown to everybody and older, lacks a mutation of the caller's. */
  since: number;
  sinceForAll: number;
  parts: readonly Part[];
  keys: readonly string[];
  /** Whose answers the keys are of: what was learned meanwhile may be another thing. */
  isPrivate: boolean;
  found: (Entry | undefined)[];
}

/** A call in flight whose answer will be kept. */
interface Pending {
  asOf: number;
  version: number;
  done: Promise<unknown>;
}

/** Longer keys are hashed, as are those with headers. */
const MAX_KEY = 200;

export function createFetchCache({ timeline, entries, shared, rulesOf, metricsOf }: FetchCacheParts): FetchCache {
  const { invalidations } = timeline;
  const pending = new Map<string, Pending>();

  /** Null where nothing can be kept for the caller. */
  function keysOf(known: KnownFetch, parts: readonly Part[], view: CacheView): string[] | null {
    // Until one was not for everybody, answers are looked for among those that are.
    const owner = known.isPrivate ? view.owner : '';
    if (owner === null) return null;
    const prefix = `${known.hash}\n${owner}\n${view.headers}\n`;
    return parts.map(({ rest }) => {
      const key = prefix + rest;
      // Headers may be secrets, and whoever looks after Redis lists its keys.
      if (key.length <= MAX_KEY && view.headers === '') return key;
      return `${known.hash}#${createHash('sha256').update(key).digest('base64url')}`;
    });
  }

  function isValid(entry: Entry, { known, standpoint, since, sinceForAll }: Lookup, now: number): boolean {
    if (entry.asOf < (entry.isPublic ? sinceForAll : since)) return false;
    if (entry.reign !== standpoint.reign || now >= entry.staleUntil) return false;
    return invalidations.isValid(entry, known.subgraph);
  }

  function find(lookup: Lookup): boolean {
    const { keys, found } = lookup;
    const now = Date.now();
    let isComplete = true;
    for (const [index, key] of keys.entries()) {
      if (found[index] !== undefined) continue;
      const entry = entries.get(key);
      if (entry !== undefined && isValid(entry, lookup, now)) found[index] = entry;
      else isComplete = false;
    }
    return isComplete;
  }

  async function findShared(lookup: Lookup, from: SharedEntries): Promise<void> {
    const { known, keys, found } = lookup;
    const missing = keys.flatMap((key, index) => (found[index] === undefined ? [{ key, index }] : []));
    const read = await from.get(
      missing.map(({ key }) => key),
      known,
    );
    const now = Date.now();
    for (const [at, { key, index }] of missing.entries()) {
      const entry = read[at];
      if (entry === undefined || !isValid(entry, lookup, now)) continue;
      entries.set(key, entry, keepData(entry.data).bytes);
      found[index] = entry;
      metricsOf(known.subgraph).shared();
    }
  }

  /** Waits for calls in flight that ask for the same. */
  async function findPending(lookup: Lookup): Promise<void> {
    const { known, keys, found, since } = lookup;
    if (!known.keeps) return;
    const joined = new Set<Promise<unknown>>();
    for (const [index, key] of keys.entries()) {
      const call = found[index] === undefined ? pending.get(key) : undefined;
      // One that began before a change would bring what was before it.
      if (call !== undefined && call.asOf >= since && call.version === invalidations.version) {
        joined.add(call.done);
      }
    }
    if (joined.size === 0) return;
    await Promise.allSettled(joined);
    find(lookup);
  }

  /** Keeps what of an answer may be kept. */
  function keep(lookup: Lookup, indexes: readonly number[], response: SubgraphResponse): Keeping | null {
    const { known, view, standpoint, request, parts } = lookup;
    const keeping = keepingOf(response, rulesOf(known.subgraph));
    known.keeps = keeping !== null;
    if (keeping === null) return null;
    if (!keeping.isPublic) known.isPrivate = true;
    const answers = known.kind === 'root' ? [response.data] : response.data?.['_entities'];
    if (!isList(answers) || answers.length !== indexes.length) return null;
    const keys = known.isPrivate === lookup.isPrivate ? lookup.keys : keysOf(known, parts, view);
    if (keys === null || standpoint.reign !== timeline.reign) return keeping;
    const tags = known.staticTags(keeping.isPublic);
    for (const [at, index] of indexes.entries()) {
      const part = parts[index];
      const key = keys[index];
      if (part === undefined || key === undefined) return keeping;
      const { data, bytes } = keepData(answers[at]);
      const ownTags = known.tagsOf(data, {
        representation: part.representation,
        variables: request.variables ?? {},
        isPublic: keeping.isPublic,
      });
      const { asOf, reign } = standpoint;
      const entry = { ...keeping, data, asOf, reign, tags, ownTags, checked: -1 };
      entries.set(key, entry, bytes);
      shared?.set(key, entry);
    }
    return keeping;
  }

  async function ask(lookup: Lookup, indexes: readonly number[], isDetached: boolean): Promise<Asked> {
    const { known, request, view, standpoint, parts } = lookup;
    const { asOf } = standpoint;
    const asked =
      known.kind === 'root' || indexes.length === parts.length
        ? { ...request, asOf }
        : { ...partOfBatch(request, indexes), asOf };
    const response = await view.call(asked, isDetached);
    return { response, keeping: keep(lookup, indexes, response) };
  }

  function askPending(lookup: Lookup, indexes: readonly number[], isDetached: boolean): Promise<Asked> {
    const asked = ask(lookup, indexes, isDetached);
    if (!lookup.known.keeps) return asked;
    const keys = indexes.flatMap((index) => lookup.keys[index] ?? []);
    const call = { asOf: lookup.standpoint.asOf, version: invalidations.version, done: asked };
    for (const key of keys) pending.set(key, call);
    return asked.finally(() => {
      for (const key of keys) if (pending.get(key) === call) pending.delete(key);
    });
  }

  /** What is stale is sent, and asked for once more meanwhile. */
  function refreshStale(lookup: Lookup): boolean {
    const now = Date.now();
    const stale = lookup.found.flatMap((entry, index) =>
      entry !== undefined && entry.freshUntil <= now ? [index] : [],
    );
    const due = stale.filter((index) => !pending.has(lookup.keys[index] ?? ''));
    // Whether it went well has been logged; what is stale ends by itself.
    if (due.length > 0) askPending(lookup, due, true).catch(() => undefined);
    return stale.length > 0;
  }

  function answer(lookup: Lookup): SubgraphResponse {
    const { known, view, found } = lookup;
    const isStale = refreshStale(lookup);
    metricsOf(known.subgraph).found(found.length, isStale, true);
    view.note({
      subgraph: known.subgraph,
      kind: known.kind,
      status: isStale ? 'stale' : 'hit',
      kept: keptOf(found),
      tags: found[0]?.ownTags ?? [],
    });
    if (known.kind === 'entities') return { data: { _entities: found.map((entry) => copyOf(entry?.data)) } };
    const data = found[0]?.data;
    return { data: isData(data) ? copyData(data) : {} };
  }

  async function askForMissing(lookup: Lookup): Promise<SubgraphResponse> {
    if (shared !== null) await findShared(lookup, shared);
    await findPending(lookup);
    const { known, view, found, parts, request } = lookup;
    const missing = parts.flatMap((_part, index) => (found[index] === undefined ? [index] : []));
    if (missing.length === 0) return answer(lookup);
    const metrics = metricsOf(known.subgraph);
    metrics.missed(missing.length);
    if (known.kind === 'root' || missing.length === parts.length) {
      const { response, keeping } = await askPending(lookup, missing, false);
      view.note({ subgraph: known.subgraph, kind: known.kind, status: 'miss', kept: keeping, tags: [] });
      return response;
    }
    metrics.found(parts.length - missing.length, refreshStale(lookup), false);
    const asked = await askPending(lookup, missing, false).catch((error: unknown) => ({ error }));
    const keeping = 'keeping' in asked ? asked.keeping : null;
    const kept = keeping === null ? null : keptOf([...found, keeping]);
    view.note({ subgraph: known.subgraph, kind: known.kind, status: 'partial', kept, tags: [] });
    const entities = found.map((entry) => copyOf(entry?.data) ?? null);
    return joinEntities({ request, entities, missing }, 'error' in asked ? asked.error : asked.response);
  }

  function lookUp(
    known: KnownFetch,
    request: SubgraphRequest,
    view: CacheView,
    standpoint: Standpoint | null,
  ): Promise<SubgraphResponse> {
    const parts = partsOf(known, request);
    const keys = standpoint === null ? null : keysOf(known, parts, view);
    if (standpoint === null || keys === null) {
      metricsOf(known.subgraph).bypassed(parts.length);
      view.note({ subgraph: known.subgraph, kind: known.kind, status: 'bypass', kept: null, tags: [] });
      return view.call(request);
    }
    const found = keys.map(() => undefined);
    const lookup: Lookup = {
      known,
      request,
      view,
      standpoint,
      since: changedIn(standpoint.since, known.subgraph),
      sinceForAll: changedForAllIn(standpoint.since, known.subgraph),
      parts,
      keys,
      isPrivate: known.isPrivate,
      found,
    };
    return find(lookup) ? Promise.resolve(answer(lookup)) : askForMissing(lookup);
  }

  return {
    fetch(known, request, view) {
      const standpoint = view.standpoint();
      if (!(standpoint instanceof Promise)) return lookUp(known, request, view, standpoint);
      return standpoint.then((known_) => lookUp(known, request, view, known_));
    },
  };
}

interface Asked {
  response: SubgraphResponse;
  /** Null where it is not to be kept. */
  keeping: Keeping | null;
}

function partsOf({ kind }: KnownFetch, { variables = {} }: SubgraphRequest): Part[] {
  const { representations, ...others } = variables;
  if (kind === 'root' || !isList(representations)) return [{ rest: canonicalJson(variables), representation: null }];
  const given = canonicalJson(others);
  return representations.map((representation) => ({
    rest: `${given}\n${canonicalJson(representation)}`,
    representation: isData(representation) ? representation : null,
  }));
}

function copyOf(data: unknown): unknown {
  return isData(data) ? copyData(data) : data;
}

/** Of what is made of several, the least. */
function keptOf(all: readonly (Kept | undefined)[]): Kept {
  const kept = { isPublic: true, madeAt: Infinity, freshUntil: Infinity };
  for (const each of all) {
    if (each === undefined) continue;
    kept.isPublic &&= each.isPublic;
    kept.madeAt = Math.min(kept.madeAt, each.madeAt);
    kept.freshUntil = Math.min(kept.freshUntil, each.freshUntil);
  }
  return kept;
}
