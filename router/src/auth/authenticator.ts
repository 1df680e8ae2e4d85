import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { API_KEY_PREFIX } from '@timbre/platform/api-key';
import { AppError } from '@timbre/platform/errors';
import type { Revocation } from '@timbre/platform/revocation';
import { LRUCache } from 'lru-cache';
import { KnownCredential, nameOf } from './known-credential.ts';
import type { Recognized } from './known-credential.ts';
import { createCredentialReader } from './presented-credential.ts';
import type { PresentedCredential } from './presented-credential.ts';
import { ANONYMOUS_PRINCIPAL } from './principal.ts';
import type { Principal } from './principal.ts';
import type { RecognizeKey } from './recognize-key.ts';
import type { RecognizeToken } from './recognize-token.ts';
import { BEARER } from './trusted-issuer.ts';
import type { TokenSource } from './trusted-issuer.ts';

/** What a caller is told by. */
export interface AuthenticationRequest {
  headers: IncomingHttpHeaders;
  requestId: string;
  /** Whether a page of a foreign origin can have made a browser send this. Only asked where a cookie is a credential. */
  mayBeForeign: () => boolean;
}

/**
 * From a request to a principal; without a credential, the anonymous one. What is known is answered at once.
 *
 * @throws AppError UNAUTHENTICATED; FORBIDDEN for a blocked user; BAD_REQUEST for two credentials at once;
 * CSRF_PREVENTION for a cookie that anybody's page may have sent; SERVICE_UNAVAILABLE
 */
export type Authenticate = (request: AuthenticationRequest) => Principal | Promise<Principal>;

export interface Authenticator {
  authenticate: Authenticate;
  /** Asks again what the named credentials stand for, of those in use at once; null: of all. */
  recheck: (revocations: readonly Revocation[] | null) => Promise<void>;
}

export interface AuthenticatorOptions {
  token: RecognizeToken;
  /** Null: there are no keys. */
  key?: RecognizeKey | null;
  /** Where tokens are looked for; default `Authorization: Bearer`. */
  sources?: readonly TokenSource[];
  /** Credentials that are remembered; default 10,000. */
  cacheSize?: number;
  /** Unix milliseconds. */
  now?: () => number;
}

/** Refusals that are remembered for a moment, so that what was refused once is not asked about again and again. */
const MAX_REFUSED = 1_000;
const REFUSED_MS = 5_000;
const AT_ONCE = 50;

/** Nobody is known: whatever is sent, the caller is anonymous. */
export const authenticateNobody: Authenticate = () => ANONYMOUS_PRINCIPAL;

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { token, key = null, sources = [BEARER], cacheSize = 10_000, now = Date.now } = options;
  const read = createCredentialReader(sources, { apiKeys: key !== null });
  const named = new Map<string, Set<KnownCredential>>();
  const known = new LRUCache<string, KnownCredential>({
    max: cacheSize,
    dispose(credential) {
      credential.isRemembered = false;
      keep(credential);
    },
  });
  const refused = new LRUCache<string, AppError>({ max: MAX_REFUSED, ttl: REFUSED_MS });
  const recognizing = new Map<string, Promise<KnownCredential>>();

  function remember(id: string, recognized: Recognized): KnownCredential {
    const credential = new KnownCredential(recognized, { now, onUse: keep });
    known.set(id, credential);
    list(credential);
    return credential;
  }

  /** Found by name for as long as it is remembered or in use. */
  function keep(credential: KnownCredential): void {
    if (credential.isInUse || credential.isRemembered) list(credential);
    else forget(credential);
  }

  function list(credential: KnownCredential): void {
    for (const name of credential.names) {
      const those = named.get(name);
      if (those === undefined) named.set(name, new Set([credential]));
      else those.add(credential);
    }
  }

  function forget(credential: KnownCredential): void {
    for (const name of credential.names) {
      const those = named.get(name);
      if (those?.delete(credential) === true && those.size === 0) named.delete(name);
    }
  }

  const recognize = ({ text, source }: PresentedCredential): Promise<Recognized> | Recognized => {
    if (!text.startsWith(API_KEY_PREFIX)) return token(text, source);
    if (key === null) throw new AppError('UNAUTHENTICATED', 'API keys are not accepted here.');
    return key(text);
  };

  /** Once for all who present the same at the same time. */
  async function lookUp(id: string, presented: PresentedCredential): Promise<KnownCredential> {
    const current = known.get(id);
    if (current !== undefined && !current.revoked) {
      if (!current.hasEnded()) return current;
      known.delete(id);
      throw new AppError('UNAUTHENTICATED', 'The token has expired.');
    }
    let pending = recognizing.get(id);
    if (pending === undefined) {
      pending = (async () => remember(id, await recognize(presented)))().finally(() => recognizing.delete(id));
      recognizing.set(id, pending);
    }
    return pending;
  }

  async function resolve(id: string, presented: PresentedCredential, requestId: string): Promise<Principal> {
    const refusal = refused.get(id);
    if (refusal !== undefined) throw refusal;
    const credential = await lookUp(id, presented);
    try {
      const principal = await credential.ask(requestId);
      keep(credential);
      return principal;
    } catch (error) {
      if (credential.revoked) {
        known.delete(id);
        if (error instanceof AppError) refused.set(id, error);
      }
      throw error;
    }
  }

  return {
    authenticate(request) {
      const presented = read(request.headers);
      if (presented === null) return ANONYMOUS_PRINCIPAL;
      if (presented.source !== undefined && 'cookie' in presented.source && request.mayBeForeign()) throw foreign();
      const { id } = presented;
      const credential = known.get(id);
      if (credential !== undefined && credential.freshUntil > now() && credential.principal !== null) {
        return credential.principal;
      }
      return resolve(id, presented, request.requestId);
    },

    async recheck(revocations) {
      const doubtful = new Set<KnownCredential>();
      const names = revocations?.map(({ kind, issuer, value }) => nameOf(kind, issuer, value)) ?? named.keys();
      for (const name of names) for (const credential of named.get(name) ?? []) doubtful.add(credential);
      const inUse: KnownCredential[] = [];
      for (const credential of doubtful) {
        credential.doubt();
        if (credential.isInUse) inUse.push(credential);
      }
      for (let i = 0; i < inUse.length; i += AT_ONCE) {
        const some = inUse.slice(i, i + AT_ONCE);
        // Who cannot be asked about now is asked about at the next request, or when the same revocation is told again.
        await Promise.allSettled(some.map((credential) => credential.ask(randomUUID())));
      }
    },
  };
}

function foreign(): AppError {
  return new AppError(
    'CSRF_PREVENTION',
    'A page of a foreign origin could have sent this cookie. Send "content-type: application/json" or the header apollo-require-preflight; open websockets from an allowed origin.',
  );
}
