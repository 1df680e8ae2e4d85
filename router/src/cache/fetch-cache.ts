import { createHash } from 'node:crypto';
import { isData, isList } from '../execution/data.ts';
import type { SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import type { CacheView, Kept } from './cache-view.ts';
import { joinEntities, partOfBatch } from './entity-batch.ts';
import type { Entries, Entry, NewEntry, Origin } from './entries.ts';
import { keepingOf } from './keeping.ts';
import type { Keeping, KeepingRules } from './keeping.ts';
import type { KnownFetch } from './known-fetch.ts';
import type { LookupMetrics } from './lookup-metrics.ts';
import { partKeysOf } from './part-keys.ts';
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

/** A fetch under way, with what of it was found. */
interface Lookup {
  known: KnownFetch;
  request: SubgraphRequest;
  view: CacheView;
  standpoint: Standpoint;
  /** What is older, or shown to everybody and older, lacks a mutation of the caller's. */
  since: number;
  sinceForAll: number;
  /** What all that is looked for has in common: the operation, whose it is, on what else it depends. */
  prefix: string;
  given: string;
  keys: readonly string[];
  /** Whose answers the prefix is of: what was learned meanwhile may be another thing. */
  isPrivate: boolean;
  found: (Entry | undefined)[];
  /** By their places, what may lack a change of the caller's of which only the store knows. */
  unsure: Map<number, Entry>;
}

/** A call in flight whose answer will be kept. */
interface Pending {
  asOf: number;
  done: Promise<unknown>;
}

/** Then it is asked for: what changes all the time would be waited for for ever. */
const PENDING_ROUNDS = 2;
/** Longer keys in the store are hashed, as are those with headers. */
const MAX_KEY = 200;

export function createFetchCache({ timeline, entries, shared, rulesOf, metricsOf }: FetchCacheParts): FetchCache {
  const { invalidations } = timeline;
  const pending = new Map<string, Map<string, Pending>>();

  /** Null where nothing can be kept for the caller. No part can hold a line break, and only what is given begins with a brace. */
  function prefixOf(known: KnownFetch, { owner, headers }: CacheView, given: string): string | null {
    // Until one was not for everybody, answers are looked for among those that are.
    const of = known.isPrivate ? owner : '';
    return of === null ? null : `${known.hash}\n${of}\n${headers}\n${given}`;
  }

  /** Whether an answer is not too old for a caller, and nothing has changed of what all of it is made of. */
  function isUsable(origin: Origin, { known, standpoint, since, sinceForAll }: Lookup, now: number): boolean {
    if (origin.asOf < (origin.isPublic ? sinceForAll : since)) return false;
    if (origin.reign !== standpoint.reign || now >= origin.staleUntil) return false;
    if (origin.checked === invalidations.version) return true;
    if (!invalidations.isValid(origin.asOf, known.staticTags(origin.isPublic), known.subgraph)) return false;
    origin.checked = invalidations.version;
    return true;
  }

  function isValid(entry: Entry, lookup: Lookup, index: number): boolean {
    const { version } = invalidations;
    if (entry.checked === version) return true;
    const { asOf } = entry.origin;
    const { subgraph } = lookup.known;
    if (!invalidations.areBefore(asOf) && !invalidations.isValid(asOf, tagsOf(entry, lookup, index), subgraph)) {
      return false;
    }
    entry.checked = version;
    return true;
  }

  function find(lookup: Lookup): boolean {
    const { prefix, keys, found, unsure, standpoint } = lookup;
    const { told } = standpoint;
    const shelf = entries.under(prefix);
    const now = Date.now();
    const mayOpen = (origin: Origin) => isUsable(origin, lookup, now);
    let isComplete = true;
    for (let index = 0; index < keys.length; index += 1) {
      if (found[index] !== undefined) continue;
      const entry = shelf?.find(keys[index] ?? '', mayOpen);
      if (entry !== undefined && isValid(entry, lookup, index)) {
        if (entry.origin.asOf >= told || entry.confirmed >= told) {
          found[index] = entry;
          continue;
        }
        unsure.set(index, entry);
      }
      isComplete = false;
    }
    return isComplete;
  }

  async function confirm(lookup: Lookup, from: SharedEntries): Promise<void> {
    const { known, found, unsure, standpoint } = lookup;
    const all = [...unsure].map(([index, entry]) => {
      const { origin } = entry;
      return { index, entry, origin, ownTags: tagsOf(entry, lookup, index) };
    });
    const confirmed = await from.confirm(all, known);
    unsure.clear();
    if (timeline.reign !== standpoint.reign) return;
    for (const each of confirmed) {
      if (each === undefined) continue;
      each.entry.confirmed = Math.max(each.entry.confirmed, standpoint.asOf);
      found[each.index] = each.entry;
    }
  }

  async function findShared(lookup: Lookup, from: SharedEntries): Promise<void> {
    const { known, prefix, keys, found, unsure, standpoint } = lookup;
    const missing = missingOf(found).filter((index) => !unsure.has(index));
    const [read] = await Promise.all([
      from.get(
        missing.map((index) => storeKey(lookup, keys[index] ?? '')),
        lookup,
      ),
      confirm(lookup, from),
    ]);
    if (timeline.reign !== standpoint.reign) return;
    const now = Date.now();
    for (const [at, index] of missing.entries()) {
      const entry = read[at];
      if (entry === undefined || !isUsable(entry.origin, lookup, now) || !isValid(entry, lookup, index)) continue;
      entries.keepEntry(prefix, keys[index] ?? '', entry);
      found[index] = entry;
      metricsOf(known.subgraph).shared();
    }
  }

  /** Waits for calls in flight that ask for the same. What they bring is looked at like all that is kept: it may be old by then. */
  async function findPending(lookup: Lookup): Promise<void> {
    const { prefix, keys, found, since, standpoint } = lookup;
    for (let round = 0; round < PENDING_ROUNDS; round += 1) {
      const calls = pending.get(prefix);
      if (calls === undefined) return;
      const joined = new Set<Promise<unknown>>();
      for (const index of missingOf(found)) {
        const call = calls.get(keys[index] ?? '');
        if (call !== undefined && call.asOf >= Math.max(since, standpoint.told)) joined.add(call.done);
      }
      if (joined.size === 0) return;
      await Promise.allSettled(joined);
      if (find(lookup)) return;
    }
  }

  /** Keeps what of an answer may be kept. */
  function keep(lookup: Lookup, indexes: readonly number[], response: SubgraphResponse, asOf: number): Keeping | null {
    const { known, view, standpoint, given } = lookup;
    const keeping = keepingOf(response, rulesOf(known.subgraph));
    known.keeps = keeping !== null;
    if (keeping === null) return null;
    if (!keeping.isPublic) known.isPrivate = true;
    const { kind } = known;
    const parts = kind === 'root' ? [response.data] : response.data?.['_entities'];
    if (!isList(parts) || parts.length !== indexes.length) return null;
    const prefix = known.isPrivate === lookup.isPrivate ? lookup.prefix : prefixOf(known, view, given);
    const { reign } = standpoint;
    if (prefix === null || reign !== timeline.reign) return keeping;
    const keys = indexes.length === lookup.keys.length ? lookup.keys : indexes.map((index) => lookup.keys[index] ?? '');
    const origin: Origin = { ...keeping, asOf, reign, checked: -1 };
    entries.keepAnswer(prefix, { origin, keys, kind, text: response.text ?? JSON.stringify({ data: response.data }) });
    if (shared === null) return keeping;
    for (const [at, index] of indexes.entries()) {
      const entry = { origin, data: parts[at], ownTags: null };
      shared.set(storeKey({ ...lookup, prefix }, keys[at] ?? ''), { ...entry, ownTags: tagsOf(entry, lookup, index) });
    }
    return keeping;
  }

  async function ask(lookup: Lookup, indexes: readonly number[], { asOf, isDetached }: Asking): Promise<Asked> {
    const { known, request, view, keys } = lookup;
    const asked =
      known.kind === 'root' || indexes.length === keys.length
        ? { ...request, asOf }
        : { ...partOfBatch(request, indexes), asOf };
    const response = await view.call(asked, isDetached);
    return { response, keeping: keep(lookup, indexes, response, asOf) };
  }

  function askPending(lookup: Lookup, indexes: readonly number[], isDetached: boolean): Promise<Asked> {
    const { known, prefix, keys, standpoint } = lookup;
    // The operation may have begun a while ago.
    const asOf = standpoint.reign === timeline.reign ? Math.max(standpoint.asOf, timeline.latest) : standpoint.asOf;
    const asked = ask(lookup, indexes, { asOf, isDetached });
    if (!known.keeps) return asked;
    const call = { asOf, done: asked };
    const calls = pending.get(prefix) ?? new Map<string, Pending>();
    pending.set(prefix, calls);
    for (const index of indexes) calls.set(keys[index] ?? '', call);
    return asked.finally(() => {
      for (const index of indexes) {
        const key = keys[index] ?? '';
        if (calls.get(key) === call) calls.delete(key);
      }
      if (calls.size === 0 && pending.get(prefix) === calls) pending.delete(prefix);
    });
  }

  /** What is stale is sent, and asked for once more meanwhile. */
  function refreshStale(lookup: Lookup): boolean {
    const { prefix, keys, found } = lookup;
    const now = Date.now();
    if (!found.some((entry) => entry !== undefined && entry.origin.freshUntil <= now)) return false;
    const calls = pending.get(prefix);
    const due = found.flatMap((entry, index) =>
      entry !== undefined && entry.origin.freshUntil <= now && calls?.has(keys[index] ?? '') !== true ? [index] : [],
    );
    // Whether it went well has been logged; what is stale ends by itself.
    if (due.length > 0) askPending(lookup, due, true).catch(() => undefined);
    return true;
  }

  function answer(lookup: Lookup): SubgraphResponse {
    const { known, view, found } = lookup;
    const isStale = refreshStale(lookup);
    metricsOf(known.subgraph).found(found.length, isStale, true);
    const [first] = found;
    view.note({
      subgraph: known.subgraph,
      kind: known.kind,
      status: isStale ? 'stale' : 'hit',
      kept: keptOf(found),
      tags: () => (first === undefined ? [] : tagsOf(first, lookup, 0)),
    });
    if (known.kind === 'entities') return { data: { _entities: found.map(dataOf) }, isShared: true };
    return { data: isData(first?.data) ? first.data : {}, isShared: true };
  }

  async function askForMissing(lookup: Lookup): Promise<SubgraphResponse> {
    if (shared !== null) await findShared(lookup, shared);
    if (lookup.known.keeps) await findPending(lookup);
    const { known, view, found, keys, request } = lookup;
    const missing = missingOf(found);
    if (missing.length === 0) return answer(lookup);
    const metrics = metricsOf(known.subgraph);
    metrics.missed(missing.length);
    if (known.kind === 'root' || missing.length === keys.length) {
      const { response, keeping } = await askPending(lookup, missing, false);
      view.note({ subgraph: known.subgraph, kind: known.kind, status: 'miss', kept: keeping, tags: noTags });
      return response;
    }
    metrics.found(keys.length - missing.length, refreshStale(lookup), false);
    const asked = await askPending(lookup, missing, false).catch((error: unknown) => ({ error }));
    const keeping = 'keeping' in asked ? asked.keeping : null;
    const kept = keeping === null ? null : leastOf(keptOf(found), keeping);
    view.note({ subgraph: known.subgraph, kind: known.kind, status: 'partial', kept, tags: noTags });
    const joined = joinEntities(
      { request, entities: found.map(dataOf), missing },
      'error' in asked ? asked.error : asked.response,
    );
    return { ...joined, isShared: true };
  }

  function lookUp(
    known: KnownFetch,
    request: SubgraphRequest,
    view: CacheView,
    standpoint: Standpoint | null,
  ): Promise<SubgraphResponse> {
    const { given, keys } = partKeysOf(known.kind, request);
    const prefix = standpoint === null ? null : prefixOf(known, view, given);
    if (standpoint === null || prefix === null) {
      metricsOf(known.subgraph).bypassed(keys.length);
      view.note({ subgraph: known.subgraph, kind: known.kind, status: 'bypass', kept: null, tags: noTags });
      return view.call(request);
    }
    const { isPrivate } = known;
    const found = keys.map(() => undefined);
    const lookup: Lookup = {
      known,
      request,
      view,
      standpoint,
      since: changedIn(standpoint.since, known.subgraph),
      sinceForAll: changedForAllIn(standpoint.since, known.subgraph),
      prefix,
      given,
      keys,
      isPrivate,
      found,
      unsure: new Map(),
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

interface Asking {
  /** Where the sequence of changes is. */
  asOf: number;
  isDetached: boolean;
}

interface Asked {
  response: SubgraphResponse;
  /** Null where it is not to be kept. */
  keeping: Keeping | null;
}

const noTags = () => [];

/** Of an entry, worked out when somebody first wants to know. */
function tagsOf(entry: NewEntry, { known, request }: Lookup, index: number): readonly string[] {
  if (entry.ownTags !== null) return entry.ownTags;
  const { variables = {} } = request;
  const { representations } = variables;
  const representation = known.kind === 'entities' && isList(representations) ? representations[index] : null;
  const tags = known.tagsOf(entry.data, {
    representation: isData(representation) ? representation : null,
    variables,
    isPublic: entry.origin.isPublic,
  });
  entry.ownTags = tags;
  return tags;
}

function storeKey({ known, view, prefix }: Pick<Lookup, 'known' | 'view' | 'prefix'>, key: string): string {
  const whole = `${prefix}\n${key}`;
  // Headers may be secrets, and whoever looks after Redis lists its keys.
  if (whole.length <= MAX_KEY && view.headers === '') return whole;
  return `${known.hash}#${createHash('sha256').update(whole).digest('base64url')}`;
}

function missingOf(found: readonly (Entry | undefined)[]): number[] {
  const missing: number[] = [];
  for (let index = 0; index < found.length; index += 1) if (found[index] === undefined) missing.push(index);
  return missing;
}

const dataOf = (entry: Entry | undefined) => entry?.data ?? null;

/** Of what is made of several, the least. */
function keptOf(found: readonly (Entry | undefined)[]): Kept {
  let kept: Kept = { isPublic: true, madeAt: Infinity, freshUntil: Infinity };
  let last: Origin | undefined;
  for (const entry of found) {
    const origin = entry?.origin;
    // Most came together.
    if (origin === undefined || origin === last) continue;
    kept = leastOf(kept, origin);
    last = origin;
  }
  return kept;
}

function leastOf(one: Kept, other: Kept): Kept {
  return {
    isPublic: one.isPublic && other.isPublic,
    madeAt: Math.min(one.madeAt, other.madeAt),
    freshUntil: Math.min(one.freshUntil, other.freshUntil),
  };
}
