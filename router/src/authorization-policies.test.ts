import { PassThrough } from 'node:stream';
import { createLogger } from '@timbre/platform/logger';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EvaluatePolicies } from './auth/authorization.ts';
import { startGuardedGraph } from './testing/guarded-graph.ts';
import type { GuardedGraph } from './testing/guarded-graph.ts';
import { createTestIssuer } from './testing/test-issuer.ts';
import type { TestIssuer } from './testing/test-issuer.ts';
import { codesOf, collect, startTestRouter } from './testing/test-router.ts';
import type { TestRouter } from './testing/test-router.ts';

let graph: GuardedGraph;
let issuer: TestIssuer;
let router: TestRouter;
const asked: { user: string | null; policies: readonly string[] }[] = [];
let evaluate: EvaluatePolicies;

/** Each user has its policies in its name. */
const byName: EvaluatePolicies = ({ userId }, policies) => {
  const held = userId?.split(' ') ?? [];
  return Object.fromEntries(policies.map((policy) => [policy, held.includes(policy)]));
};

beforeAll(async () => {
  graph = await startGuardedGraph();
  issuer = await createTestIssuer();
  router = await startTestRouter(graph, {
    issuer,
    authorization: {
      evaluatePolicies(principal, policies, session) {
        asked.push({ user: principal.userId, policies });
        return evaluate(principal, policies, session);
      },
    },
  });
});

beforeEach(() => {
  asked.length = 0;
  evaluate = byName;
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

const DENIED = 'UNAUTHORIZED_FIELD_OR_TYPE';
const as = async (sub: string, scope = '') => ({ token: await issuer.sign({ sub, scope }) });

describe('a policy', () => {
  test('of a group all must hold, and one group suffices', async () => {
    const query = '{ account { balance } }';
    const balanceOf = async (user: string) => (await router.query(query, await as(user))).data;
    expect(await balanceOf('read:balance')).toEqual({ account: { balance: null } });
    expect(await balanceOf('read:balance human')).toEqual({ account: { balance: 1234 } });
    expect(await balanceOf('auditor')).toEqual({ account: { balance: 1234 } });
    expect((await router.query(query)).data).toEqual({ account: { balance: null } });
  });

  test('on a type and on a scalar guards what returns it', async () => {
    const query = '{ vault { gold } account { token } }';
    const answer = await router.query(query, await as('read:token'));
    expect(answer.data).toEqual({ vault: null, account: { token: 'tok-55' } });
    expect(answer.errors.map(({ path }) => path)).toEqual([['vault']]);
  });

  test('is asked about where the operation needs it and the rest is met, and no other', async () => {
    await router.query('{ account { name token } }', await as('one'));
    await router.query('{ account { name risk } free }', await as('two'));
    await router.query('{ ...F } fragment F on Query { vault { gold } x: account { balance } }', await as('three'));
    expect(asked).toEqual([
      { user: 'one', policies: ['read:token'] },
      { user: 'three', policies: ['auditor', 'human', 'open:vault', 'read:balance'] },
    ]);
  });

  test('is remembered for a principal and a set of policies, however many ask at once', async () => {
    const asker = await as('auditor 2');
    const ask = () => router.query('{ account { balance } }', asker);
    const answers = await Promise.all([ask(), ask(), ask()]);
    await router.query('{ again: account { balance name } }', asker);
    expect(answers.map(({ data }) => data)).toEqual([1, 2, 3].map(() => ({ account: { balance: 1234 } })));
    expect(asked).toHaveLength(1);
    await router.query('{ account { balance } }', await as('somebody else'));
    expect(asked).toHaveLength(2);
  });

  test('that holds for one principal holds for no other, with the same plan at hand', async () => {
    const query = '{ account { balance token } }';
    const [all, none] = [await as('auditor read:token'), await as('nothing')];
    for (const _ of [1, 2]) {
      expect((await router.query(query, all)).data).toEqual({ account: { balance: 1234, token: 'tok-55' } });
      expect((await router.query(query, none)).data).toEqual({ account: { balance: null, token: null } });
    }
  });

  test('guards subscriptions', async () => {
    const { token } = await as('read:token');
    const query = 'subscription { changes { name token balance } }';
    const { events } = await collect(router.wsClient(token), { query });
    expect(events.map(({ data }) => data)).toEqual(
      [1, 2].map(() => ({ changes: { name: 'Ada', token: 'tok-55', balance: null } })),
    );
  });
});

describe('a subscription', () => {
  /** A policy that holds when it is asked about for the first and the second time: at the start, and for one event. */
  async function changing(query: string) {
    let calls = 0;
    const evaluatePolicies: EvaluatePolicies = () => {
      calls += 1;
      return { 'read:token': calls <= 2 };
    };
    const strict = await startTestRouter(graph, { issuer, authorization: { policiesTtlMs: 0, evaluatePolicies } });
    const { token } = await as('reader');
    const all = await collect(strict.wsClient(token), { query });
    await strict.close();
    return all;
  }

  test('ends with an error when a policy that it needs holds no more, and shows nothing that it guards', async () => {
    const { events, failure } = await changing('subscription { changes { name token } }');
    expect(events).toEqual([{ data: { changes: { name: 'Ada', token: 'tok-55' } } }]);
    expect(failure).toMatchObject([{ extensions: { code: 'SUBSCRIPTION_AUTH_EXPIRED' } }]);
  });

  test('that needs no policy goes on whatever they say', async () => {
    const { events, failure } = await changing('subscription { changes { name } }');
    expect(events).toHaveLength(2);
    expect(failure).toBeNull();
  });
});

describe('an evaluation', () => {
  test.each<[string, EvaluatePolicies]>([
    [
      'that throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['that rejects', () => Promise.reject(new Error('broken'))],
    ['that says nothing', () => ({})],
    ['that says null', () => ({ 'open:vault': null })],
    ['that says of something else that it holds', () => ({ 'open:safe': true, constructor: true })],
    ['that says nothing in time', () => new Promise(() => undefined)],
  ])('%s denies what it was about, and nothing else', async (name, broken) => {
    evaluate = broken;
    const answer = await router.query('{ vault { gold } account { name } }', await as(name));
    expect(answer.data).toEqual({ vault: null, account: { name: 'Ada' } });
    expect(codesOf(answer)).toEqual([DENIED]);
  });

  test('that fails is logged and tried again soon', async () => {
    const lines: string[] = [];
    const destination = new PassThrough().on('data', (line: Buffer) => lines.push(String(line)));
    const log = createLogger({ name: 'router', level: 'error', stream: destination });
    let calls = 0;
    const flaky = await startTestRouter(graph, {
      issuer,
      log,
      authorization: {
        policiesTtlMs: 1,
        evaluatePolicies() {
          calls += 1;
          if (calls === 1) throw new Error('not now');
          return { 'open:vault': true };
        },
      },
    });
    const asker = await as('user');
    expect((await flaky.query('{ vault { gold } }', asker)).data).toEqual({ vault: null });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await flaky.query('{ vault { gold } }', asker)).data).toEqual({ vault: { gold: 99 } });
    expect(lines.join('')).toContain('not now');
    await flaky.close();
  });

  test('that depends on the session is made with every request where nothing is to be remembered', async () => {
    const picky = await startTestRouter(graph, {
      authorization: {
        policiesTtlMs: 0,
        evaluatePolicies: (_principal, _policies, { headers }) => ({ 'open:vault': headers?.['x-key'] === 'sesame' }),
      },
    });
    const vault = (key: string) => picky.query('{ vault { gold } }', { headers: { 'x-key': key } });
    expect((await vault('sesame')).data).toEqual({ vault: { gold: 99 } });
    expect((await vault('wrong')).data).toEqual({ vault: null });
    await picky.close();
  });
});

test('without a hook no policy holds', async () => {
  const plain = await startTestRouter(graph, { issuer });
  const answer = await plain.query('{ vault { gold } account { balance token name } }', await as('auditor open:vault'));
  expect(answer.data).toEqual({ vault: null, account: { balance: null, token: null, name: 'Ada' } });
  expect(codesOf(answer)).toEqual([DENIED, DENIED, DENIED]);
  await plain.close();
});
