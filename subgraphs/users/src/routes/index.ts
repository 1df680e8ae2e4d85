import { API_KEY_PATH, apiKeyRequestSchema } from '@timbre/platform/api-key';
import { channels } from '@timbre/platform/bus/hints';
import type { IdentityVerifier } from '@timbre/platform/identity';
import { PRINCIPAL_PATH, principalRequestSchema } from '@timbre/platform/principal';
import {
  LOGOUT_PATH,
  logoutRequestSchema,
  REVOCATIONS_PATH,
  revocationsRequestSchema,
} from '@timbre/platform/revocation';
import type { Route } from '@timbre/platform/subgraph-server';
import type { ContextServices } from '../context.ts';
import { resolveApiKey } from '../services/api-keys.ts';
import { resolvePrincipal } from '../services/resolve-principal.ts';
import { recordLogout, revocationsSince } from '../services/revocations.ts';
import { routerRoute } from './router-route.ts';

/** What the router asks on its own behalf. */
export function routesForRouter({ db, keys, bus }: ContextServices, verifyIdentity: IdentityVerifier): Route[] {
  return [
    routerRoute(
      {
        path: PRINCIPAL_PATH,
        request: principalRequestSchema,
        answer: async (request) => resolvePrincipal(db, request),
      },
      verifyIdentity,
    ),
    routerRoute(
      { path: API_KEY_PATH, request: apiKeyRequestSchema, answer: async (parts) => resolveApiKey(db, keys, parts) },
      verifyIdentity,
    ),
    routerRoute(
      {
        path: REVOCATIONS_PATH,
        request: revocationsRequestSchema,
        answer: async ({ since }) => revocationsSince(db, since),
      },
      verifyIdentity,
    ),
    routerRoute(
      {
        path: LOGOUT_PATH,
        request: logoutRequestSchema,
        async answer(logout) {
          const result = await recordLogout(db, logout);
          void bus.publish(channels.revocations, '');
          return result;
        },
      },
      verifyIdentity,
    ),
  ];
}
