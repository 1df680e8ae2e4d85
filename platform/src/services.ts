import { once } from 'node:events';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { Bus } from './bus/bus.ts';
import { createPostgresBus } from './bus/postgres-bus.ts';
import { boundWrites } from './cache/bound-writes.ts';
import type { Cache } from './cache/cache.ts';
import type { VersionedStore } from './cache/versioned-store.ts';
import { createMemoryCache } from './cache/memory-cache.ts';
import type { ServiceEnv } from './env.ts';
import type { HttpHandler } from './http-server.ts';
import { createLimiter } from './limiter/create-limiter.ts';
import type { Limiter, LimiterOptions, PromptLimiter } from './limiter/limiter.ts';
import type { SharedBuckets } from './limiter/shared-buckets.ts';
import type { Logger } from './logger.ts';
import { createFsStore } from './storage/fs-store.ts';
import { createMediaHandler } from './storage/media-handler.ts';
import type { ObjectStore } from './storage/object-store.ts';
import { createUrlSigner } from './storage/url-signer.ts';

export interface Services {
  bus: Bus;
  cache: Cache;
  limiter: (options: LimiterOptions) => Limiter;
  store: ObjectStore;
  /** Answers `/uploads/…` and `/media/…` for the filesystem store; null with S3, whose URLs lead there directly. */
  media: HttpHandler | null;
  close(): Promise<void>;
}

const REDIS_PATIENCE_MS = 3_000;
const REDIS_ANSWER_MS = 1_000;
/** Documents and plans: whoever sends ever new ones must not fill a Redis that also has limits, budgets and invalidations. */
const SHARED_CHARACTERS_PER_DAY = 64_000_000;

export type ServicesEnv = Pick<
  ServiceEnv,
  | 'DATA_DIR'
  | 'DATABASE_URL'
  | 'REDIS_URL'
  | 'S3_BUCKET'
  | 'S3_ENDPOINT'
  | 'S3_REGION'
  | 'IDENTITY_SECRET'
  | 'PUBLIC_URL'
>;

/**
 * An unset variable selects the embedded part, a set one the real one; nothing else changes. The clients of Redis and
 * S3 are loaded only where they are used: they cost 0.3 s and 40 MB at the start.
 */
export async function openServices(env: ServicesEnv, options: { log: Logger }): Promise<Services> {
  const { log } = options;
  const redis = env.REDIS_URL === undefined ? undefined : await openRedis(env.REDIS_URL, log);
  const bus = await openBus(env, { log });
  const cache = redis === undefined ? createMemoryCache() : await openRedisCache(redis, log);
  const storage = await openStorage(env, log);

  return {
    bus,
    cache,
    limiter: (limits) => createLimiter(limits, redis),
    ...storage,
    async close() {
      await Promise.all([bus.close(), cache.close()]);
      redis?.disconnect();
    },
  };
}

/** The bus alone, for who stores no objects. The database's URL may be that of a role that may only listen and notify. */
export async function openBus(
  env: Pick<ServicesEnv, 'DATABASE_URL' | 'REDIS_URL'>,
  { log }: { log: Logger },
): Promise<Bus> {
  if (env.REDIS_URL === undefined) return createPostgresBus({ url: env.DATABASE_URL, log });
  const { createRedisBus } = await import('./bus/redis-bus.ts');
  return createRedisBus({ url: env.REDIS_URL, log });
}

/** The object store alone, and the handler of its URLs where it needs one. */
export async function openStorage(env: ServicesEnv, log: Logger): Promise<Pick<Services, 'store' | 'media'>> {
  if (env.S3_BUCKET !== undefined) {
    const { createS3Store } = await import('./storage/s3-store.ts');
    const store = createS3Store({
      bucket: env.S3_BUCKET,
      ...(env.S3_ENDPOINT === undefined ? {} : { endpoint: env.S3_ENDPOINT }),
      ...(env.S3_REGION === undefined ? {} : { region: env.S3_REGION }),
    });
    return { store, media: null };
  }
  const signer = createUrlSigner(env.IDENTITY_SECRET);
  const store = await createFsStore({ root: join(env.DATA_DIR, 'objects'), publicUrl: env.PUBLIC_URL, signer });
  return { store, media: createMediaHandler({ store, signer, log }) };
}

/** What processes share through Redis, over one connection. */
export interface SharedServices {
  cache: Cache;
  /** For limits that are asked at every request. */
  relaxedLimiter: (options: LimiterOptions) => PromptLimiter;
  close(): Promise<void>;
  buckets: SharedBuckets;
}

/** For who needs nothing else. Redis need not be there. */
export async function openShared(url: string, log: Logger): Promise<SharedServices> {
  const redis = await openRedis(url, log);
  const { createRelaxedLimiter } = await import('./limiter/create-relaxed-limiter.ts');
  const { createRedisBuckets } = await import('./limiter/redis-buckets.ts');
  return {
    cache: boundWrites(await openRedisCache(redis, log), { charactersPerDay: SHARED_CHARACTERS_PER_DAY, log }),
    relaxedLimiter: (options) => createRelaxedLimiter(options, redis),
    buckets: createRedisBuckets(redis),
    close: async () => redis.disconnect(),
  };
}

/** What routers share of the answers that they keep; it has a connection of its own. */
export async function openVersionedStore(url: string, log: Logger): Promise<VersionedStore> {
  const { createRedisVersionedStore } = await import('./cache/redis-versioned-store.ts');
  return createRedisVersionedStore({ url, log });
}

async function openRedisCache(redis: Redis, log: Logger): Promise<Cache> {
  const { createRedisCache } = await import('./cache/redis-cache.ts');
  return createRedisCache({ redis, log });
}

/** Waits a little for the first connection; cache and limiter get along without one. */
async function openRedis(url: string, log: Logger): Promise<Redis> {
  const { Redis } = await import('ioredis');
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    // One that answers nothing is one that is away: without this, what it is asked waits, and piles up.
    socketTimeout: REDIS_ANSWER_MS,
    connectionName: 'timbre',
  });
  redis.on('error', (error: unknown) => log.warn({ err: error }, 'redis'));
  await once(redis, 'ready', { signal: AbortSignal.timeout(REDIS_PATIENCE_MS) }).catch(() => {
    log.warn('redis is not there yet');
  });
  return redis;
}
