import { createTestDatabase, type TestDatabase } from '@timbre/db/testing/test-database';
import { type ApiKeys, createApiKeys } from '@timbre/platform/api-key';
import type { Bus } from '@timbre/platform/bus/bus';
import { createPostgresBus } from '@timbre/platform/bus/postgres-bus';
import {
  createIdentitySigner,
  createIdentityVerifier,
  type Credential,
  type Identity,
  IDENTITY_HEADER,
  SERVICE_ROLE,
} from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { PRINCIPAL_PATH, principalSchema } from '@timbre/platform/principal';
import { signedIdentity, TEST_SECRET } from '@timbre/platform/testing/caller';
import { z } from 'zod';
import { startUsers } from '../start-users.ts';

export const TEST_ISSUER = 'https://issuer.example/';

export interface TestUsers {
  url: string;
  database: TestDatabase;
  keys: ApiKeys;
  bus: Bus;
  post(path: string, body: unknown, token?: string): Promise<Response>;
  /** As the router, with its own identity. */
  askAsRouter(path: string, body: unknown): Promise<unknown>;
  ask(who: Partial<Identity>, query: string, variables?: Record<string, unknown>): Promise<Answer>;
  /** Makes the user of a subject. */
  userOf(sub: string): Promise<string>;
  close(): Promise<void>;
}

const answerSchema = z.object({
  data: z.record(z.string(), z.any()).nullish(),
  errors: z.array(z.looseObject({ message: z.string() })).optional(),
});
type Answer = z.infer<typeof answerSchema>;

const sign = createIdentitySigner(TEST_SECRET);

/** A token of the test issuer, as the router tells of it. */
export const tokenCredential = (more: Partial<Credential> = {}): Credential => ({
  kind: 'token',
  id: 'jti-1',
  session: null,
  issuedAt: Math.floor(Date.now() / 1000),
  expiresAt: Math.floor(Date.now() / 1000) + 3600,
  ...more,
});

/** The subgraph over a database of its own. */
export async function startTestUsers(): Promise<TestUsers> {
  const log = createLogger({ name: 'users-test', level: 'error' });
  const database = await createTestDatabase();
  const bus = createPostgresBus({ url: database.url, log });
  const keys = createApiKeys(TEST_SECRET);
  const server = await startUsers({
    db: database.db,
    keys,
    bus,
    verifyIdentity: createIdentityVerifier(TEST_SECRET),
    host: '127.0.0.1',
    port: 0,
    log,
    metrics: createMetrics({ service: 'users-test' }),
  });
  const post = (path: string, body: unknown, token?: string) =>
    fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { [IDENTITY_HEADER]: token }) },
      body: JSON.stringify(body),
    });
  const askAsRouter = async (path: string, body: unknown): Promise<unknown> =>
    (await post(path, body, signedIdentity(null, [SERVICE_ROLE]))).json();

  return {
    url: server.url,
    database,
    keys,
    bus,
    post,
    askAsRouter,
    async ask(who, query, variables = {}) {
      const expiresAt = Math.floor(Date.now() / 1000) + 60;
      const identity = { userId: null, roles: [], scopes: [], plan: null, expiresAt, ...who };
      return answerSchema.parse(await (await post('/graphql', { query, variables }, sign(identity))).json());
    },
    async userOf(sub) {
      return principalSchema.parse(await askAsRouter(PRINCIPAL_PATH, { iss: TEST_ISSUER, sub })).userId;
    },
    async close() {
      await server.close({ deadlineMs: 1000 });
      await bus.close();
      await database.drop();
    },
  };
}
