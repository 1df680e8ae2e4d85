import { AppError } from '@timbre/platform/errors';
import { IDENTITY_HEADER, REQUEST_ID_HEADER, SERVICE_ROLE } from '@timbre/platform/identity';
import type { Identity } from '@timbre/platform/identity';
import { PRINCIPAL_PATH, principalSchema } from '@timbre/platform/principal';
import type { PrincipalRequest } from '@timbre/platform/principal';
import { LRUCache } from 'lru-cache';
import { Pool } from 'undici';
import type { TokenClaims } from './verify-token.ts';

/** Who a verified token stands for in the system. */
export interface ResolvedPrincipal {
  userId: string;
  roles: readonly string[];
  plan: string | null;
  blocked: boolean;
}

export interface PrincipalResolver {
  /** @throws AppError SERVICE_UNAVAILABLE */
  resolve(claims: TokenClaims, requestId: string): Promise<ResolvedPrincipal>;
  close(): Promise<void>;
}

export interface UsersResolverOptions {
  /** Of the users subgraph, with or without its path. */
  usersUrl: string;
  signIdentity: (identity: Identity) => string;
  /** How long an answer holds; default 30 s. */
  ttlMs?: number;
  cacheSize?: number;
  timeoutMs?: number;
}

const SERVICE_IDENTITY_SECONDS = 60;

/** Asks the users subgraph, which makes the user on first sight; once for all who ask at the same time. */
export function createUsersResolver(options: UsersResolverOptions): PrincipalResolver {
  const { signIdentity, ttlMs = 30_000, timeoutMs = 5_000 } = options;
  const pool = new Pool(new URL(options.usersUrl).origin, { connections: 8, connect: { timeout: 2_000 } });

  async function ask(request: PrincipalRequest, requestId: string): Promise<ResolvedPrincipal> {
    const expiresAt = Math.floor(Date.now() / 1000) + SERVICE_IDENTITY_SECONDS;
    const response = await pool.request({
      method: 'POST',
      path: PRINCIPAL_PATH,
      headers: {
        'content-type': 'application/json',
        [IDENTITY_HEADER]: signIdentity({ userId: null, roles: [SERVICE_ROLE], scopes: [], plan: null, expiresAt }),
        [REQUEST_ID_HEADER]: requestId,
      },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body: unknown = await response.body.json();
    if (response.statusCode !== 200) throw new Error(`users answered ${response.statusCode}: ${JSON.stringify(body)}`);
    const { userId, role, plan, blocked } = principalSchema.parse(body);
    return { userId, roles: [role], plan, blocked };
  }

  const principals = new LRUCache<string, ResolvedPrincipal, { request: PrincipalRequest; requestId: string }>({
    max: options.cacheSize ?? 10_000,
    ttl: ttlMs,
    fetchMethod: async (_key, _stale, { context }) => ask(context.request, context.requestId),
  });

  return {
    async resolve({ issuer, subject, email }, requestId) {
      const request = { iss: issuer, sub: subject, email };
      try {
        return await principals.forceFetch(JSON.stringify(request), { context: { request, requestId } });
      } catch (error) {
        throw new AppError('SERVICE_UNAVAILABLE', 'Who the token belongs to cannot be found out now.', {
          cause: error,
        });
      }
    },
    close: () => pool.destroy(),
  };
}
