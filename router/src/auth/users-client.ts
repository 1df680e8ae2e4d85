import { API_KEY_PATH, apiKeyPrincipalSchema } from '@timbre/platform/api-key';
import type { ApiKeyParts, ApiKeyPrincipal } from '@timbre/platform/api-key';
import { AppError } from '@timbre/platform/errors';
import { IDENTITY_HEADER, REQUEST_ID_HEADER, SERVICE_ROLE } from '@timbre/platform/identity';
import type { Identity } from '@timbre/platform/identity';
import { PRINCIPAL_PATH, principalSchema } from '@timbre/platform/principal';
import type { PrincipalRequest } from '@timbre/platform/principal';
import { LOGOUT_PATH, logoutSchema, REVOCATIONS_PATH, revocationsSchema } from '@timbre/platform/revocation';
import type { LogoutRequest, Revocations } from '@timbre/platform/revocation';
import { Pool } from 'undici';
import type { z } from 'zod';
import type { PrincipalResolver } from './principal-resolver.ts';

/** What the router asks of the users subgraph on its own behalf. Every call may throw AppError SERVICE_UNAVAILABLE. */
export interface UsersClient extends PrincipalResolver {
  /** Whose an API key is; null for one that is unknown, revoked or expired. */
  keyOwner: (parts: ApiKeyParts, requestId: string) => Promise<ApiKeyPrincipal>;
  revocations: (since: string | null) => Promise<Revocations>;
  /** @returns whether the same logout token was told of before */
  logOut: (logout: LogoutRequest, requestId: string) => Promise<{ replayed: boolean }>;
  close(): Promise<void>;
}

export interface UsersClientOptions {
  /** Of the users subgraph, with or without its path. */
  usersUrl: string;
  signIdentity: (identity: Identity) => string;
  timeoutMs?: number;
}

const SERVICE_IDENTITY_SECONDS = 60;
/** Half of those of the graph: nobody gets anything before it is known who they are. */
const CONNECTIONS = 32;

export function createUsersClient(options: UsersClientOptions): UsersClient {
  const { signIdentity, timeoutMs = 5_000 } = options;
  const pool = new Pool(new URL(options.usersUrl).origin, { connections: CONNECTIONS, connect: { timeout: 2_000 } });

  async function post<T>(path: string, request: object, schema: z.ZodType<T>, requestId?: string): Promise<T> {
    try {
      const expiresAt = Math.floor(Date.now() / 1000) + SERVICE_IDENTITY_SECONDS;
      const response = await pool.request({
        method: 'POST',
        path,
        headers: {
          'content-type': 'application/json',
          [IDENTITY_HEADER]: signIdentity({ userId: null, roles: [SERVICE_ROLE], scopes: [], plan: null, expiresAt }),
          ...(requestId === undefined ? {} : { [REQUEST_ID_HEADER]: requestId }),
        },
        body: JSON.stringify(request),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const body: unknown = await response.body.json();
      if (response.statusCode !== 200)
        throw new Error(`users answered ${response.statusCode}: ${JSON.stringify(body)}`);
      return schema.parse(body);
    } catch (error) {
      throw new AppError('SERVICE_UNAVAILABLE', 'Who the caller is cannot be found out now.', { cause: error });
    }
  }

  return {
    async resolve({ issuer, subject, email, id, session, issuedAt }, requestId) {
      const request: PrincipalRequest = { iss: issuer, sub: subject, email, jti: id, sid: session, iat: issuedAt };
      const { role, ...principal } = await post(PRINCIPAL_PATH, request, principalSchema, requestId);
      return { ...principal, roles: [role] };
    },
    keyOwner: (parts, requestId) => post(API_KEY_PATH, parts, apiKeyPrincipalSchema, requestId),
    revocations: (since) => post(REVOCATIONS_PATH, { since }, revocationsSchema),
    logOut: (logout, requestId) => post(LOGOUT_PATH, logout, logoutSchema, requestId),
    close: () => pool.destroy(),
  };
}
