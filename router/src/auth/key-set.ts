import { AppError } from '@timbre/platform/errors';
import type { Logger } from '@timbre/platform/logger';
import { createLocalJWKSet, errors } from 'jose';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { z } from 'zod';

/** Picks the key for a token's header. */
export type KeySet = JWTVerifyGetKey;

export interface RemoteKeySetOptions {
  issuer: string;
  /** Where the JWKS is; found by OpenID discovery otherwise. */
  jwksUrl?: string | undefined;
  log: Logger;
  /** Between fetches that an unknown key id causes; default 30 s. */
  cooldownMs?: number;
  /** After which keys are fetched again in the background; default 10 min. */
  maxAgeMs?: number;
  timeoutMs?: number;
  /** Unix milliseconds. */
  now?: () => number;
}

const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });
const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const MAX_BYTES = 512 * 1024;

export function createLocalKeySet(jwks: JSONWebKeySet): KeySet {
  return createLocalJWKSet(jwks);
}

/**
 * The keys of an issuer. Known keys stay in use while the issuer is down; a key id that is not known
 * causes one fetch for all who ask, at most one per cooldown, so that invented ids cost nothing.
 */
export function createRemoteKeySet(options: RemoteKeySetOptions): KeySet {
  const { log, cooldownMs = 30_000, maxAgeMs = 600_000, now = Date.now } = options;
  let keys: KeySet | null = null;
  let fetchedAt = 0;
  let triedAt = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | null = null;

  const refresh = (): Promise<void> => {
    if (fetching === null && now() - triedAt < cooldownMs) return Promise.resolve();
    fetching ??= (async () => {
      triedAt = now();
      try {
        keys = createLocalJWKSet(await fetchKeys(options));
        fetchedAt = now();
      } catch (error) {
        log.warn({ err: error, issuer: options.issuer }, "the issuer's keys cannot be fetched");
      } finally {
        fetching = null;
      }
    })();
    return fetching;
  };

  return async (header, token) => {
    if (keys === null) await refresh();
    if (keys === null) {
      throw new AppError('SERVICE_UNAVAILABLE', "Tokens cannot be verified: the issuer's keys cannot be fetched.");
    }
    if (now() - fetchedAt > maxAgeMs) void refresh();
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await refresh();
      return keys(header, token);
    }
  };
}

async function fetchKeys({ issuer, jwksUrl, timeoutMs = 5_000 }: RemoteKeySetOptions): Promise<JSONWebKeySet> {
  const url = jwksUrl ?? (await discover(issuer, timeoutMs));
  return keySetSchema.parse(await fetchJson(url, timeoutMs));
}

async function discover(issuer: string, timeoutMs: number): Promise<string> {
  const base = issuer.endsWith('/') ? issuer : `${issuer}/`;
  try {
    const document = discoverySchema.parse(
      await fetchJson(new URL('.well-known/openid-configuration', base).href, timeoutMs),
    );
    if (document.issuer !== issuer) throw new Error(`The discovery document is of the issuer ${document.issuer}.`);
    return document.jwks_uri;
  } catch (error) {
    if (error instanceof NotThere) return new URL('.well-known/jwks.json', base).href;
    throw error;
  }
}

class NotThere extends Error {}

async function fetchJson(url: string, timeoutMs: number): Promise<unknown> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status === 404) throw new NotThere(`${url} answered 404`);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const text = await response.text();
  if (text.length > MAX_BYTES) throw new Error(`${url} answered more than ${MAX_BYTES} bytes`);
  return JSON.parse(text);
}
