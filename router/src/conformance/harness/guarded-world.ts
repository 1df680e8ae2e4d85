import { Supergraph } from '@apollo/federation-internals';
import type { Principal } from '../../auth/principal.ts';
import { ANONYMOUS_PRINCIPAL } from '../../auth/principal.ts';
import { startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';
import { isArgs } from './domain.ts';
import type { GuardedGraph } from './guarded-answer.ts';
import { createMarkedData } from './marked-data.ts';
import { guardsOf } from './requirements-of.ts';
import type { Asker } from './requirements-of.ts';
import { serveSubgraphs } from './serve-subgraphs.ts';

const NOBODY = 'nobody';
/** Who may ask, and whose the data may be. */
export const OWNERS = [NOBODY, 'ann', 'bob', 'cid', 'dee'] as const;

export interface GuardedWorld extends GuardedGraph {
  router: TestRouter;
  tokenOf(asker: RandomAsker): string | null;
  close(): Promise<void>;
}

export interface RandomAsker extends Asker {
  role: string;
  plan: string;
}

export interface GuardedWorldOptions {
  supergraph: string;
  /** Their schemas, by name. */
  subgraphs: Readonly<Record<string, string>>;
  /** Whether all data is nobody's in particular, and said to be for everybody to keep; else each caller has its own. */
  isPublic: boolean;
}

/**
 * A router on subgraphs that have nothing but their schemas: every value that they send names its field and the caller
 * whose it is. Tokens are what they say: who verifies them is no part of this.
 */
export async function startGuardedWorld({
  supergraph,
  subgraphs,
  isPublic,
}: GuardedWorldOptions): Promise<GuardedWorld> {
  const texts = Object.values(subgraphs);
  const schema = Supergraph.build(supergraph, { supportedFeatures: null })
    .apiSchema()
    .toGraphQLJSSchema({ includeDefer: true });
  const data = createMarkedData(texts, OWNERS);
  const servers = await serveSubgraphs(
    new Map(Object.entries(subgraphs).map(([name, sdl]) => [name, data.subgraph(sdl)])),
    {
      contextOf: (identity) => ({ owner: typeof identity === 'string' && !isPublic ? identity : NOBODY }),
      headers: { 'cache-control': `max-age=60, ${isPublic ? 'public' : 'private'}` },
    },
  );
  const principals = new Map<string, Principal>();

  const router = await startTestRouter(
    { supergraph, subgraphUrl: servers.urlOf },
    {
      identityOf: ({ userId }) => userId ?? NOBODY,
      authenticate({ headers: { authorization } }) {
        const token = authorization?.replace(/^Bearer /, '');
        if (token === undefined) return ANONYMOUS_PRINCIPAL;
        const principal = principals.get(token);
        if (principal === undefined) throw new Error(`No such token: ${token}`);
        return principal;
      },
      authorization: {
        evaluatePolicies: ({ subject }, policies) => {
          const held: unknown = JSON.parse(subject ?? '{}');
          const list = isArgs(held) && Array.isArray(held['policies']) ? held['policies'] : [];
          return Object.fromEntries(policies.map((policy) => [policy, list.includes(policy)]));
        },
      },
      batching: { maximum: 2 },
      documents: { automatic: {}, trusted: null },
      responseCache: {},
    },
  );

  return {
    schema,
    data,
    ownerOf: ({ userId }) => (isPublic ? NOBODY : (userId ?? NOBODY)),
    guards: guardsOf(texts, schema),
    router,
    tokenOf(asker) {
      const { userId, scopes, role, plan } = asker;
      if (userId === null) return null;
      const subject = JSON.stringify(asker);
      const token = Buffer.from(subject).toString('base64url');
      // The same object for the same rights, as the authenticator has it.
      if (!principals.has(token)) {
        principals.set(token, { ...ANONYMOUS_PRINCIPAL, subject, userId, scopes, roles: [role], plan });
      }
      return token;
    },
    async close() {
      await router.close();
      await servers.close();
    },
  };
}
