import { createServer } from 'node:http';
import { API_KEY_PATH, apiKeyRequestSchema } from '@timbre/platform/api-key';
import type { ApiKeyPrincipal } from '@timbre/platform/api-key';
import { createIdentityVerifier, IDENTITY_HEADER, SERVICE_ROLE } from '@timbre/platform/identity';
import { PRINCIPAL_PATH, principalRequestSchema } from '@timbre/platform/principal';
import {
  LOGOUT_PATH,
  logoutRequestSchema,
  REVOCATIONS_PATH,
  revocationsRequestSchema,
} from '@timbre/platform/revocation';
import type { LogoutRequest, Revocation } from '@timbre/platform/revocation';
import { listen } from './listen.ts';
import { IDENTITY_SECRET } from './test-subgraph.ts';

/** What the users subgraph is to the router, without a database: its real one is tested where it stands. */
export interface UsersStandIn {
  url: string;
  /** The paths of all calls. */
  asked: string[];
  blocked: Set<string>;
  /** By id; the secret is not looked at. */
  keys: Map<string, NonNullable<ApiKeyPrincipal>>;
  /** Tells nobody: that is the bus's part. */
  revoke(...revocations: Revocation[]): void;
  logouts: LogoutRequest[];
  /** Answers 500 while it is true. */
  fails: boolean;
  /** Holds back what it says of somebody, which is said before, until it resolves; what is revoked is told meanwhile. */
  hold: Promise<void> | null;
  close(): void;
}

export async function startUsersStandIn(): Promise<UsersStandIn> {
  const verifyIdentity = createIdentityVerifier(IDENTITY_SECRET);
  const revoked: Revocation[] = [];
  const isRevoked = (kind: Revocation['kind'], value: string | null | undefined) =>
    revoked.some((one) => one.kind === kind && one.value === value);

  const answers: Record<string, (body: unknown) => unknown> = {
    [PRINCIPAL_PATH](body) {
      const { sub, sid, jti } = principalRequestSchema.parse(body);
      const userId = `usr_${sub}`;
      return {
        userId,
        role: 'USER',
        plan: 'plan_free',
        blocked: standIn.blocked.has(userId),
        revoked: isRevoked('session', sid) || isRevoked('token', jti) || isRevoked('subject', sub),
      };
    },
    [API_KEY_PATH](body) {
      const { id } = apiKeyRequestSchema.parse(body);
      const key = standIn.keys.get(id);
      if (key === undefined || isRevoked('key', id)) return null;
      return { ...key, blocked: standIn.blocked.has(key.userId) };
    },
    [REVOCATIONS_PATH](body) {
      const { since } = revocationsRequestSchema.parse(body);
      return { now: new Date().toISOString(), revocations: since === null ? [] : revoked };
    },
    [LOGOUT_PATH](body) {
      const logout = logoutRequestSchema.parse(body);
      const replayed = standIn.logouts.some(({ jti }) => jti === logout.jti);
      if (!replayed) standIn.logouts.push(logout);
      return { replayed };
    },
  };

  const server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      const path = req.url ?? '';
      standIn.asked.push(path);
      const isRouter = verifyIdentity(req.headers[IDENTITY_HEADER]?.toString()).roles.includes(SERVICE_ROLE);
      if (standIn.fails || !isRouter) {
        res.writeHead(500).end('{}');
        return;
      }
      const answer = JSON.stringify(answers[path]?.(JSON.parse(Buffer.concat(parts).toString())));
      if (standIn.hold === null || path === REVOCATIONS_PATH) res.end(answer);
      else void standIn.hold.then(() => res.end(answer));
    });
  });
  const standIn: UsersStandIn = {
    url: '',
    asked: [],
    blocked: new Set(),
    keys: new Map(),
    revoke: (...revocations) => void revoked.push(...revocations),
    logouts: [],
    fails: false,
    hold: null,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  standIn.url = await listen(server);
  return standIn;
}
