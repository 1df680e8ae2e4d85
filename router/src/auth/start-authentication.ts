import { createApiKeys } from '@timbre/platform/api-key';
import type { Bus } from '@timbre/platform/bus/bus';
import type { HttpHandler } from '@timbre/platform/http-server';
import { createIdentitySigner } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import type { JSONWebKeySet } from 'jose';
import { createAuthenticator } from './authenticator.ts';
import type { Authenticate } from './authenticator.ts';
import { createLocalKeySet, createRemoteKeySet } from './key-set.ts';
import { createLogoutHandler } from './logout-handler.ts';
import { createKeyRecognition } from './recognize-key.ts';
import { createTokenRecognition } from './recognize-token.ts';
import { BEARER } from './trusted-issuer.ts';
import type { TrustedIssuer } from './trusted-issuer.ts';
import { createUsersClient } from './users-client.ts';
import { createLogoutVerifier } from './verify-logout-token.ts';
import { createTokenVerifier } from './verify-token.ts';
import { watchRevocations } from './watch-revocations.ts';

/** A {@link TrustedIssuer} as configuration says it. */
export interface IssuerSettings extends Omit<TrustedIssuer, 'keys'> {
  /** Where its keys are; found by OpenID discovery otherwise. */
  jwksUrl?: string | undefined;
  /** Its keys, where they are known beforehand. */
  jwks?: JSONWebKeySet;
}

export interface AuthenticationOptions {
  issuers: readonly IssuerSettings[];
  /** Who knows the users, their keys and what was revoked; null: subjects are users, and tokens count until they expire. */
  users: { url: string; identitySecret: string } | null;
  bus: Bus | null;
  log: Logger;
}

export interface Authentication {
  authenticate: Authenticate;
  /** Headers in which tokens come, beside those that are always looked at; in lower case. */
  credentialHeaders: readonly string[];
  /** For back-channel logout; null where no issuer sends logout tokens. */
  logOut: HttpHandler | null;
  close(): Promise<void>;
}

/** @throws RangeError where the issuers are not usable */
export function startAuthentication({
  issuers: settings,
  users: known,
  bus,
  log,
}: AuthenticationOptions): Authentication {
  const issuers = settings.map(({ jwks, jwksUrl, ...issuer }) => ({
    ...issuer,
    keys: jwks === undefined ? createRemoteKeySet({ issuer: issuer.issuer, jwksUrl, log }) : createLocalKeySet(jwks),
  }));
  const users =
    known === null
      ? null
      : createUsersClient({ usersUrl: known.url, signIdentity: createIdentitySigner(known.identitySecret) });
  const token = createTokenRecognition({
    verify: createTokenVerifier(issuers),
    resolver: users,
    severalIssuers: issuers.length > 1,
  });
  const keys = known === null ? null : createApiKeys(known.identitySecret);
  const sources = issuers.flatMap(({ sources: own = [BEARER] }) => own);
  const { authenticate, recheck } = createAuthenticator({
    token,
    key: users === null || keys === null ? null : createKeyRecognition({ keys, ask: users.keyOwner }),
    sources,
  });
  const watch = users === null ? null : watchRevocations({ users, bus, recheck, log });
  const sendsLogouts = issuers.some(({ logoutAudiences = [] }) => logoutAudiences.length > 0);
  return {
    authenticate,
    credentialHeaders: sources.flatMap((source) => ('header' in source ? [source.header.toLowerCase()] : [])),
    logOut:
      users === null || !sendsLogouts
        ? null
        : createLogoutHandler({ verify: createLogoutVerifier(issuers), users, log }),
    async close() {
      // What is being asked ends with the connections.
      await Promise.all([watch?.close(), users?.close()]);
    },
  };
}
