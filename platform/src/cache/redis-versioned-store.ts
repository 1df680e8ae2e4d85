import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Logger } from '../logger.ts';
import { createTurns } from './redis-turns.ts';
import type { MarkOptions, StoredValues, VersionedStore } from './versioned-store.ts';

export interface RedisVersionedStoreOptions {
  url: string;
  log: Logger;
  /** Default 50 ms. */
  readDeadlineMs?: number;
  /** Default 1 s. */
  markDeadlineMs?: number;
}

const PREFIX = 'timbre:versioned:';
const SEQUENCE = 'sequence';
const EPOCH = 'epoch';
const ONCE_MS = 60_000;
/** After it could not be begun again. */
const AGAIN_MS = 500;
/** Of a marker: those of mutations whose end was never told stay. */
const MAX_PARTS = 200;

/**
 * KEYS: sequence, epoch, the name of what is done once or '', markers. ARGV: where the sequence begins and the name of
 * the epoch where there is none; where it must be at least; how long markers last; how long what is done once is remembered;
 * for each marker its parts, with a minus those that are taken away, or '' for the whole. Of very many parts, it is the whole.
 */
const MARK = `
if KEYS[3] ~= '' and not redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[5]) then return redis.call('GET', KEYS[1]) end
local sequence = redis.call('INCR', KEYS[1])
local now = string.format('%.0f', sequence)
if sequence <= tonumber(ARGV[3]) then
  now = ARGV[1]
  redis.call('SET', KEYS[1], now)
  redis.call('SET', KEYS[2], ARGV[2])
end
for i = 4, #KEYS do
  local marker = now
  if ARGV[i + 2] ~= '' then
    local before = redis.call('GET', KEYS[i]) or '0'
    local parts = {}
    for part, marked in string.gmatch(before, '(%S+)=(%d+)') do parts[part] = marked end
    for part in string.gmatch(ARGV[i + 2], '%S+') do
      if string.sub(part, 1, 1) == '-' then parts[string.sub(part, 2)] = nil else parts[part] = now end
    end
    local count = 0
    marker = string.match(before, '^%S+')
    for part, marked in pairs(parts) do
      count = count + 1
      marker = marker .. ' ' .. part .. '=' .. marked
    end
    if count > ${MAX_PARTS} then marker = now end
  end
  redis.call('SET', KEYS[i], marker, 'PX', ARGV[4])
end
return now
`;
const MARK_SHA = createHash('sha1').update(MARK).digest('hex');

interface Batch {
  keys: string[];
  values: Promise<StoredValues | null>;
}

/**
 * Reads that are asked for together are one MGET, with one deadline. Where an answer is late, nobody waits for the
 * next until it has come. It needs a Redis that evicts nothing (`noeviction`), or first what ends first (`volatile-ttl`): a
 * marker that is evicted early is a change that nobody knows of.
 */
export function createRedisVersionedStore(options: RedisVersionedStoreOptions): VersionedStore {
  const { url, log, readDeadlineMs = 50, markDeadlineMs = 1_000 } = options;
  // What cannot be asked now is not asked later: it would be answered too late for whoever wants it.
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectionName: 'timbre-versioned',
  });
  const turns = createTurns(redis);
  const listeners: (() => void)[] = [];
  let batch: Batch | null = null;
  let late = 0;
  let wasAway = false;
  let latest = -1;
  let beginning: Promise<unknown> | null = null;

  redis.on('error', (error: unknown) => log.warn({ err: error }, 'versioned store'));
  redis.on('ready', () => {
    // Before the first mark: one that has to be sent again comes after what others have asked for meanwhile.
    redis.script('LOAD', MARK).catch((error: unknown) => log.warn({ err: error }, 'versioned store'));
    if (wasAway) back();
  });
  redis.on('close', () => {
    wasAway = true;
  });

  function back(): void {
    wasAway = false;
    for (const listener of listeners) listener();
  }

  const isAway = () => redis.status !== 'ready' || late > 0;

  /** Resolves to null at the deadline; until the answer has come after all, the store counts as away. */
  function inTime<T>(answer: Promise<T>, deadlineMs: number): Promise<T | null> {
    return new Promise((resolve) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        late += 1;
        wasAway = true;
        log.warn({ deadlineMs }, 'the versioned store is slow');
        resolve(null);
      }, deadlineMs);
      const end = (value: T | null) => {
        clearTimeout(timer);
        if (isLate) {
          late -= 1;
          if (!isAway()) back();
        }
        resolve(value);
      };
      answer.then(end, (error: unknown) => {
        log.warn({ err: error }, 'the versioned store is not available');
        end(null);
      });
    });
  }

  function collect(): Batch {
    const keys: string[] = [];
    const answer = turns.send<(string | null)[]>((turn, answered) => {
      batch = null;
      turn.mget([PREFIX + SEQUENCE, PREFIX + EPOCH, ...keys], answered);
    });
    return { keys, values: inTime(answer.then(storedValues), readDeadlineMs) };
  }

  function storedValues([sequence, epoch, ...values]: (string | null)[] = []): StoredValues | null {
    const number = Number(sequence ?? -1);
    if (typeof epoch !== 'string' || number < latest) {
      beginAgain();
      return null;
    }
    latest = number;
    return { sequence: number, epoch, values };
  }

  /** It was never used, emptied, or is an older copy of itself: markers are lost. */
  function beginAgain(): void {
    beginning ??= mark([], { ttlMs: 1 })
      .then((begun) => (begun === null ? sleep(AGAIN_MS, undefined, { ref: false }) : undefined))
      .finally(() => {
        beginning = null;
      });
  }

  /**
   * A Redis that is full answers reads, and would never tell others of the change. What frees memory it takes: without a
   * sequence, nobody takes anything else from it until there is a new one, which has another epoch.
   */
  async function forget(): Promise<void> {
    await turns.send((turn, answered) => turn.del(PREFIX + SEQUENCE, PREFIX + EPOCH, answered));
  }

  async function mark(markers: readonly string[], { ttlMs, once, parts, beside }: MarkOptions): Promise<number | null> {
    if (redis.status !== 'ready') return null;
    const keys = [
      PREFIX + SEQUENCE,
      PREFIX + EPOCH,
      once === undefined ? '' : `${PREFIX}once:${once}`,
      ...markers.map((marker) => PREFIX + marker),
      ...(beside === undefined ? [] : [PREFIX + beside.marker]),
    ];
    const set = (some: readonly string[] | null | undefined) => (some ?? []).join(' ');
    const parameters = [
      keys.length,
      ...keys,
      // In milliseconds times a thousand: ahead of all that was counted before, as long as that was at most a million a second.
      Date.now() * 1_000,
      randomUUID(),
      Math.max(latest, 1),
      ttlMs,
      ONCE_MS,
      ...markers.map(() => set(parts)),
      // The whole has no parts.
      ...(beside === undefined ? [] : [set(beside.parts) && `${set(beside.parts)} -${beside.without}`]),
    ] as const;
    const answer = turns
      .send((turn, answered) => turn.evalsha(MARK_SHA, ...parameters, answered))
      .catch((error: unknown) => {
        if (error instanceof Error && error.message.startsWith('NOSCRIPT')) {
          return turns.send((turn, answered) => turn.eval(MARK, ...parameters, answered));
        }
        throw error;
      })
      .catch(async (error: unknown) => {
        if (error instanceof Error && error.message.startsWith('OOM')) await forget();
        throw error;
      });
    const now = await inTime(answer, markDeadlineMs);
    return typeof now === 'string' ? Number(now) : null;
  }

  return {
    async read(keys) {
      if (isAway()) return null;
      batch ??= collect();
      const begin = batch.keys.length;
      for (const key of keys) batch.keys.push(PREFIX + key);
      const all = await batch.values;
      return all === null ? null : { ...all, values: all.values.slice(begin, begin + keys.length) };
    },
    write(key, value, ttlMs) {
      if (isAway()) return;
      turns
        .send((turn, answered) => turn.set(PREFIX + key, value, 'PX', Math.max(1, Math.round(ttlMs)), answered))
        .catch((error: unknown) => log.debug({ err: error }, 'the versioned store kept nothing'));
    },
    mark,
    onBack(listener) {
      listeners.push(listener);
    },
    async close() {
      redis.disconnect();
    },
  };
}
