import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createLogger } from '@timbre/platform/logger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuthorizationOptions, ErrorPlacement } from './auth/authorization.ts';
import { startGuardedGraph } from './testing/guarded-graph.ts';
import type { GuardedGraph } from './testing/guarded-graph.ts';
import { createTestIssuer } from './testing/test-issuer.ts';
import type { TestIssuer } from './testing/test-issuer.ts';
import { collect, startTestRouter } from './testing/test-router.ts';
import type { Answer, TestRouter } from './testing/test-router.ts';

let graph: GuardedGraph;
let issuer: TestIssuer;
const routers: TestRouter[] = [];

beforeAll(async () => {
  graph = await startGuardedGraph();
  issuer = await createTestIssuer();
});

afterAll(async () => {
  for (const router of routers) await router.close();
  await graph.close();
});

async function routerWith(authorization: AuthorizationOptions): Promise<TestRouter> {
  const router = await startTestRouter(graph, { issuer, authorization });
  routers.push(router);
  graph.resolved.length = 0;
  return router;
}

const unauthorized = (...path: (string | number)[]) => ({
  message: 'Unauthorized field or type',
  path,
  extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' },
});
const QUERY = '{ account { name kind: status risk } accounts { name number } }';

describe('reject', () => {
  test('refuses the whole with the paths of all that is not allowed, and asks no subgraph', async () => {
    const router = await routerWith({ unauthorized: 'reject' });
    const answer = await router.query(QUERY);
    expect(JSON.parse(answer.text)).toEqual({
      errors: [
        unauthorized('account', 'kind'),
        unauthorized('account', 'risk'),
        unauthorized('accounts', '@', 'number'),
      ],
    });
    expect(answer.status).toBe(200);
    expect(graph.resolved).toEqual([]);

    const honest = await router.query(QUERY, { headers: { accept: 'application/graphql-response+json' } });
    expect(honest.status).toBe(400);
  });

  test('lets through what is allowed', async () => {
    const router = await routerWith({ unauthorized: 'reject' });
    const answer = await router.query('{ account { name risk } }', { token: await issuer.sign() });
    expect(JSON.parse(answer.text)).toEqual({ data: { account: { name: 'Ada', risk: 77 } } });
  });

  test('looks at neither conditions nor fragments that may not apply', async () => {
    const router = await routerWith({ unauthorized: 'reject' });
    const answer = await router.query(
      'query ($no: Boolean = false) { account { name ...F @include(if: $no) } } fragment F on Account { risk }',
    );
    expect(answer.data).toBeUndefined();
    expect(answer.errors).toEqual([unauthorized('account', 'risk')]);
  });

  test('of subscriptions, too', async () => {
    const router = await routerWith({ unauthorized: 'reject' });
    const { events, failure } = await collect(router.wsClient(), { query: 'subscription { changes { name risk } }' });
    expect(events).toEqual([]);
    expect(failure).toMatchObject([unauthorized('changes', 'risk')]);
  });

  test('with the errors in the extensions, or nowhere, says still that there was one', async () => {
    const bare = { message: 'Unauthorized field or type', extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } };
    const aside = await routerWith({ unauthorized: 'reject', errors: { response: 'extensions' } });
    expect(JSON.parse((await aside.query('{ account { risk } }')).text)).toEqual({
      errors: [bare],
      extensions: { authorizationErrors: [unauthorized('account', 'risk')] },
    });
    const silent = await routerWith({ unauthorized: 'reject', errors: { response: 'disabled' } });
    expect(JSON.parse((await silent.query('{ account { risk } }')).text)).toEqual({ errors: [bare] });
  });
});

describe('a dry run', () => {
  test('filters nothing and says what it would have filtered, also below what it would have', async () => {
    const router = await routerWith({ dryRun: true });
    const answer = await router.query('{ account { name number } vault { gold } accounts { risk } }');
    expect(answer.data).toEqual({
      account: { name: 'Ada', number: '4711' },
      vault: { gold: 99 },
      accounts: [{ risk: 77 }, { risk: 77 }],
    });
    expect(answer.errors).toEqual([
      unauthorized('account', 'number'),
      unauthorized('vault'),
      unauthorized('vault', 'gold'),
      unauthorized('accounts', 0, 'risk'),
      unauthorized('accounts', 1, 'risk'),
    ]);
  });

  test('is warned of when it begins, and when a configuration begins it', async () => {
    const lines: string[] = [];
    const log = createLogger({ name: 'test', level: 'warn', stream: { write: (line) => void lines.push(line) } });
    const router = await startTestRouter(graph, { log });
    expect(lines).toEqual([]);
    await router.configure({ authorization: { dryRun: true } });
    expect(lines).toEqual([expect.stringContaining('authorization.dryRun is on')]);
    await router.close();
  });

  test('refuses nothing', async () => {
    const router = await routerWith({ dryRun: true, unauthorized: 'reject', errors: { response: 'extensions' } });
    const answer = await router.query('{ account { risk } }');
    expect(JSON.parse(answer.text)).toEqual({
      data: { account: { risk: 77 } },
      extensions: { authorizationErrors: [unauthorized('account', 'risk')] },
    });
  });

  test('says nothing of what is allowed', async () => {
    const router = await routerWith({ dryRun: true });
    const answer = await router.query('{ account { risk } }', { token: await issuer.sign() });
    expect(JSON.parse(answer.text)).toEqual({ data: { account: { risk: 77 } } });
  });
});

const partsOf = async (router: TestRouter, query: string) => {
  const response = await fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
    body: JSON.stringify({ query }),
  });
  return response.text();
};

describe('the place of the errors', () => {
  test.each<[ErrorPlacement, object]>([
    ['errors', { errors: [unauthorized('account', 'risk')] }],
    ['extensions', { extensions: { authorizationErrors: [unauthorized('account', 'risk')] } }],
    ['disabled', {}],
  ])('%s', async (response, told) => {
    const router = await routerWith({ errors: { response } });
    const answer = await router.query('{ account { name risk } }');
    expect(JSON.parse(answer.text)).toEqual({ data: { account: { name: 'Ada', risk: null } }, ...told });

    const { events } = await collect(router.wsClient(), { query: 'subscription { changes { name risk } }' });
    expect(events).toHaveLength(2);
    const paths = JSON.stringify(told).replaceAll('"account"', '"changes"');
    expect(events[0]).toEqual({ data: { changes: { name: 'Ada', risk: null } }, ...JSON.parse(paths) });
  });

  test('other errors stay among the errors', async () => {
    const router = await routerWith({ errors: { response: 'extensions' } });
    const answer = await router.query('{ account { number broken } }', { token: await issuer.sign() });
    expect(JSON.parse(answer.text)).toMatchObject({
      errors: [{ path: ['account', 'broken'] }],
      extensions: { authorizationErrors: [unauthorized('account', 'number')] },
    });
  });

  test('of what is delivered later, it is beside that', async () => {
    const router = await routerWith({ errors: { response: 'extensions' } });
    const parts = await partsOf(router, '{ account { name ... @defer { risk limit } } }');
    const later = parts.slice(parts.indexOf('"incremental"'));
    expect(parts).not.toContain('77');
    expect(later).toContain('"authorizationErrors":[{"message":"Unauthorized field or type","path":["account","risk"]');
  });
});

describe('what is delivered later', () => {
  // The interface's field is guarded for the sake of another type that has it.
  test('puts null in the place of nothing that another part shows', async () => {
    const router = await routerWith({});
    const shown = '... on Person { motto friend { ... on Person { motto } } }';
    const parts = await partsOf(router, `{ person { ${shown} ... @defer { __typename motto friend { motto } } } }`);
    expect(parts).toContain('{"person":{"motto":"Onward","friend":{"motto":"Upward"}}}');
    const later = parts.slice(parts.indexOf('"incremental"'));
    expect(later).toContain('"data":{"__typename":"Person","friend":{}}');
    expect(parts).not.toContain('UNAUTHORIZED');
  });

  test('says what no part may show', async () => {
    const router = await routerWith({});
    const parts = await partsOf(router, '{ person { __typename ... @defer { friend { __typename motto } } } }');
    expect(parts).toContain('"friend":{"__typename":"Person","motto":null}');
    expect(parts).toContain('UNAUTHORIZED_FIELD_OR_TYPE');
  });
});

describe('an operation of which nothing is allowed', () => {
  const isNull = ({ data }: Answer) => Object.values(data ?? {}).every((value) => value === null);

  test('asks no subgraph', async () => {
    const router = await routerWith({});
    const answer = await router.query('{ vault { gold } again: vault { gold } }');
    expect(isNull(answer)).toBe(true);
    expect(answer.errors).toEqual([unauthorized('vault'), unauthorized('again')]);
    expect(graph.resolved).toEqual([]);
  });
});

describe('the log', () => {
  test('has a line for what is filtered, where that is wanted', async () => {
    const lines = new PassThrough();
    const log = createLogger({ name: 'router', level: 'warn', stream: lines });
    for (const errors of [{ log: true }, {}]) {
      const router = await startTestRouter(graph, { issuer, log, authorization: { errors } });
      await router.query('{ accounts { risk } }');
      await router.query('{ accounts { name } }');
      await router.close();
    }
    lines.end();
    const logged = (await text(lines)).trim().split('\n');
    expect(logged).toHaveLength(1);
    expect(JSON.parse(logged[0] ?? '')).toMatchObject({ userId: null, paths: [['accounts', '@', 'risk']] });
  });
});
