import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Bus } from './bus/bus.ts';
import { createPostgresBus } from './bus/postgres-bus.ts';
import { createRedisBus } from './bus/redis-bus.ts';
import type { Cache } from './cache/cache.ts';
import { createMemoryCache } from './cache/memory-cache.ts';
import { createRedisCache } from './cache/redis-cache.ts';
import type { ServiceEnv } from './env.ts';
import type { HttpHandler } from './http-server.ts';
import { createLimiter } from './limiter/create-limiter.ts';
import type { Limiter, LimiterOptions } from './limiter/limiter.ts';
import type { Logger } from './logger.ts';
import { createFsStore } from './storage/fs-store.ts';
import { createMediaHandler } from './storage/media-handler.ts';
import type { ObjectStore } from './storage/object-store.ts';
import { createS3Store } from './storage/s3-store.ts';
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

/** An unset variable selects the embedded part, a set one the real one; nothing else changes. */
export async function openServices(env: ServicesEnv, options: { log: Logger }): Promise<Services> {
  const { log } = options;
  const redis = env.REDIS_URL === undefined ? undefined : await openRedis(env.REDIS_URL, log);
  const bus = openBus(env, { log });
  const cache = redis === undefined ? createMemoryCache() : createRedisCache({ redis, log });
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

/** The bus alone, for who stores no objects. */
export function openBus(env: Pick<ServicesEnv, 'DATABASE_URL' | 'REDIS_URL'>, { log }: { log: Logger }): Bus {
  return env.REDIS_URL === undefined
    ? createPostgresBus({ url: env.DATABASE_URL, log })
    : createRedisBus({ url: env.REDIS_URL, log });
}

/** The object store alone, and the handler of its URLs where it needs one. */
export async function openStorage(env: ServicesEnv, log: Logger): Promise<Pick<Services, 'store' | 'media'>> {
  if (env.S3_BUCKET !== undefined) {
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

/** Waits a little for the first connection; cache and limiter get along without one. */
async function openRedis(url: string, log: Logger): Promise<Redis> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, connectionName: 'timbre' });
  redis.on('error', (error: unknown) => log.warn({ err: error }, 'redis'));
  await once(redis, 'ready', { signal: AbortSignal.timeout(REDIS_PATIENCE_MS) }).catch(() => {
    log.warn('redis is not there yet');
  });
  return redis;
}
