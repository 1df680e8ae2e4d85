import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGuardedGraph } from './testing/guarded-graph.ts';
import type { GuardedGraph } from './testing/guarded-graph.ts';
import { createTestIssuer } from './testing/test-issuer.ts';
import type { TestIssuer } from './testing/test-issuer.ts';
import { codesOf, startTestRouter } from './testing/test-router.ts';
import type { TestRouter } from './testing/test-router.ts';

let graph: GuardedGraph;
let issuer: TestIssuer;
let router: TestRouter;

beforeAll(async () => {
  graph = await startGuardedGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, {
    issuer,
    authorization: {
      evaluatePolicies: ({ userId }, policies) =>
        Object.fromEntries(policies.map((policy) => [policy, userId?.split(' ').includes(policy)])),
    },
  });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const ALL = '{ __schema { types { name fields { name } possibleTypes { name } enumValues { name } } } }';
const as = async (sub: string, scope = '') => ({ token: await issuer.sign({ sub, scope }) });

describe('what introspection tells', () => {
  test('has no name of what the caller may not use', async () => {
    const { text } = await router.query(ALL);
    for (const name of ['Vault', 'gold', 'vault', 'balance', 'number', 'Token', 'risk', 'score', 'Diary', 'rating']) {
      expect(text).not.toContain(`"${name}"`);
    }
    for (const name of ['Account', 'account', 'limit', 'open', 'free']) expect(text).toContain(`"${name}"`);
    // It returns what is forbidden, and so it can be asked for nothing; it is an argument, and that is allowed.
    expect(text).not.toContain('"status"}');
    expect(text).toContain('"CLOSED"');
  });

  test('goes by scopes, by being somebody, and by policies', async () => {
    const typesFor = async (sub: string, scope?: string) => (await router.query(ALL, await as(sub, scope))).text;
    expect(await typesFor('somebody')).toContain('"risk"');
    expect(await typesFor('somebody')).not.toContain('"number"');
    expect(await typesFor('somebody', 'accounts:read')).toContain('"number"');
    expect(await typesFor('open:vault read:token')).toContain('"gold"');
    expect(await typesFor('open:vault')).not.toContain('"token"');
    expect(await typesFor('somebody', 'diaries:read')).toContain('"Diary"');
  });

  test('is the same for a name that is hidden and for one that is not there', async () => {
    const answer = await router.query(
      '{ hidden: __type(name: "Vault") { name } nothing: __type(name: "None") { name } }',
    );
    expect(answer.data).toEqual({ hidden: null, nothing: null });
  });

  test('is told beside data, with variables of types that the caller may not use', async () => {
    const query = `query ($deep: Boolean!, $filter: Filter) {
      __type(name: "Query") { fields @include(if: $deep) { name } }
      accounts(filter: $filter) { name }
      vault { gold }
    }`;
    const answer = await router.query(query, { variables: { deep: true, filter: null } });
    expect(answer.data).toMatchObject({
      __type: {
        fields: [{ name: 'account' }, { name: 'accounts' }, { name: 'person' }, { name: 'free' }, { name: 'ledger' }],
      },
      accounts: [{ name: 'Ada' }, { name: 'Ada' }],
      vault: null,
    });
  });

  test('is everything in a dry run', async () => {
    const dry = await startTestRouter(graph, { authorization: { dryRun: true } });
    expect((await dry.query(ALL)).text).toContain('"gold"');
    await dry.close();
  });

  test('is nothing to those who may not introspect', async () => {
    const closed = await startTestRouter(graph, {
      issuer,
      mayIntrospect: ({ scopes }) => scopes.includes('schema:introspect'),
    });
    expect(codesOf(await closed.query(ALL))).toEqual(['INTROSPECTION_DISABLED']);
    const { text } = await closed.query(ALL, await as('somebody', 'schema:introspect'));
    expect(text).toContain('"risk"');
    expect(text).not.toContain('"number"');
    await closed.close();
  });
});

describe('suggestions', () => {
  const messagesOf = async (query: string, caller?: { token: string }) =>
    (await router.query(query, caller)).errors.map(({ message }) => message);

  test('are of what the caller may use', async () => {
    expect(await messagesOf('{ accoun { name } }')).toEqual([
      'Cannot query field "accoun" on type "Query". Did you mean "account" or "accounts"?',
    ]);
    expect(await messagesOf('{ account { balanc names } }')).toEqual([
      'Cannot query field "balanc" on type "Account".',
      'Cannot query field "names" on type "Account". Did you mean "name"?',
    ]);
    expect(await messagesOf('{ account { rsk } }', await as('somebody'))).toEqual([
      'Cannot query field "rsk" on type "Account". Did you mean "risk"?',
    ]);
    expect(await messagesOf('{ ... on Vaul { gold } }')).toEqual(['Unknown type "Vaul".']);
  });

  test('are not in errors of variables', async () => {
    const { errors } = await router.query('query ($f: Filter) { accounts(filter: $f) { name } }', {
      variables: { f: { statu: 'OPEN' } },
    });
    expect(errors.map(({ message }) => message).join()).not.toContain('Did you mean');
  });
});
