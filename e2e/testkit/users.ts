import { randomUUID } from 'node:crypto';
import { GraphClient } from '@timbre/cli/client/graph-client';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
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
