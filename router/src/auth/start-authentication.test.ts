import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HttpServer } from '@timbre/platform/http-server';
import { createLogger } from '@timbre/platform/logger';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parseSettings } from '../env.ts';
import { startRouter } from '../start-router.ts';
import { listen } from '../testing/listen.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { AUDIENCE, createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { startAuthentication } from './start-authentication.ts';
import { answerOf } from '../testing/test-router.ts';
import { IDENTITY_SECRET } from '../testing/test-subgraph.ts';
import { startUsersStandIn } from '../testing/users-stand-in.ts';
import type { UsersStandIn } from '../testing/users-stand-in.ts';

const NAMESPACE = 'https://timbre.example/';
let graph: TestGraph;
let users: UsersStandIn;
let issuer: TestIssuer;
/** Like Auth0's: with a slash at the end, found by discovery. */
let issuerUrl: string;
let router: HttpServer;
let directory: string;
const close: (() => unknown)[] = [];

beforeAll(async () => {
  graph = await startTestGraph();
  users = await startUsersStandIn();
  issuer = await createTestIssuer();
  const provider = createServer((req, res) => {
    const found = req.url === '/keys' ? issuer.jwks : { issuer: issuerUrl, jwks_uri: `${issuerUrl}keys` };
    res.end(JSON.stringify(found));
  });
  issuerUrl = `${await listen(provider)}/`;
  close.push(
    () => provider.close(),
    () => users.close(),
    () => graph.close(),
  );

  directory = await mkdtemp(join(tmpdir(), 'timbre-auth-'));
  const supergraph = join(directory, 'supergraph.graphql');
  await writeFile(supergraph, graph.supergraph);
  const config = join(directory, 'router.yaml');
  await writeFile(
    config,
    `authentication: { issuers: [{ issuer: "https://second.test/", jwksUrl: "${issuerUrl}keys", audiences: [second] }] }`,
  );
  const variables = {
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATA_DIR: directory,
    SUPERGRAPH: supergraph,
    ROUTER_CONFIG: config,
    IDENTITY_SECRET,
    SUBGRAPH_URL_USERS: users.url,
    SUBGRAPH_URL_PEOPLE: graph.subgraphUrl('people'),
    SUBGRAPH_URL_VOICES: graph.subgraphUrl('voices'),
    BUS_URL: inject('postgresUrl'),
    AUTH_ISSUER: issuerUrl,
    AUTH_AUDIENCE: AUDIENCE,
    AUTH_CLAIMS_NAMESPACE: NAMESPACE,
    AUTH_LOGOUT_AUDIENCE: 'client-1',
  };
  const settings = parseSettings([], variables);
  if (typeof settings === 'string') throw new Error('no settings');
  router = await startRouter(settings, variables);
});
afterAll(async () => {
  await router.close({ deadlineMs: 500 });
  for (const one of close) await one();
  await rm(directory, { recursive: true });
});

const ask = async (token: string) =>
  answerOf(
    await fetch(`${router.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ who { userId roles scopes } }' }),
    }),
  );

test('three variables are enough for an issuer', async () => {
  const token = await issuer.sign({
    iss: issuerUrl,
    sub: 'auth0|1',
    scope: 'openid profile:read voices:read',
    permissions: ['profile:read'],
    [`${NAMESPACE}roles`]: ['editor'],
    roles: ['ADMIN'],
  });
  expect((await ask(token)).data).toEqual({
    who: { userId: 'usr_auth0|1', roles: ['USER', 'editor'], scopes: ['profile:read'] },
  });
  expect((await ask(await issuer.sign({ iss: issuerUrl.slice(0, -1) }))).status).toBe(401);
});

test('the configuration names more', async () => {
  const token = await issuer.sign({ iss: 'https://second.test/', aud: 'second' });
  expect((await ask(token)).data).toMatchObject({ who: { userId: 'usr_user-1' } });
  expect((await ask(await issuer.sign({ iss: 'https://second.test/' }))).status).toBe(401);
});

test('its logouts are taken', async () => {
  const claims = { iss: issuerUrl, aud: 'client-1', sid: 'sid-1', jti: 'jti-1', scope: undefined };
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const logout = await issuer.sign({ ...claims, events }, { typ: 'logout+jwt' });
  const send = (token: string) =>
    fetch(`${router.url}/auth/backchannel-logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    });
  expect((await send(logout)).status).toBe(200);
  expect(users.logouts).toMatchObject([{ iss: issuerUrl, sid: 'sid-1' }]);
  expect((await send(await issuer.sign({ iss: issuerUrl }))).status).toBe(400);
});

test('what is looked at for tokens is told: answers depend on it', async () => {
  const { jwks } = await createTestIssuer();
  const sources = [{ header: 'X-Token', prefix: null }, { cookie: 'session' }];
  const authentication = startAuthentication({
    issuers: [{ issuer: 'https://one.test/', audiences: [AUDIENCE], jwks, sources }],
    users: null,
    bus: null,
    log: createLogger({ name: 'test', level: 'silent' }),
  });
  expect(authentication.credentialHeaders).toEqual(['x-token']);
  await authentication.close();
});
