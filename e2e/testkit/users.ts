import { randomUUID } from 'node:crypto';
import { GraphClient } from '@timbre/cli/client/graph-client';
import { createDb } from '@timbre/db/client';
import { users } from '@timbre/db/users/tables';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { eq } from 'drizzle-orm';
import { inject, onTestFinished } from 'vitest';

export interface TestUser {
  email: string;
  token: string;
  client: GraphClient;
}

/** A user whom no other test knows, signed in with every scope of a person unless told. */
export async function newUser(options: { scopes?: string[]; name?: string } = {}): Promise<TestUser> {
  const { url, dataDir } = inject('system');
  return signIn({ url, dataDir }, { ...options, email: `${options.name ?? 'user'}-${randomUUID()}@example.com` });
}

/** The client is closed when the test ends. */
export async function signIn(
  system: { url: string; dataDir: string },
  { email, scopes }: { email: string; scopes?: string[] },
): Promise<TestUser> {
  const issuer = await loadDevIssuer(system.dataDir);
  const token = await issuer.sign({ email, ...(scopes ? { scopes } : {}) });
  const client = new GraphClient(`${system.url}/graphql`, token);
  onTestFinished(() => client.close());
  return { email, token, client };
}

/** In the database, as staff do it. */
export async function makeSupport({ databaseUrl }: { databaseUrl: string }, id: string): Promise<void> {
  const database = createDb(databaseUrl, { max: 1, name: 'timbre-e2e' });
  await database.db.update(users).set({ role: 'SUPPORT' }).where(eq(users.id, id));
  await database.close();
}
