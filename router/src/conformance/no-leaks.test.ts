import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  buildClientSchema,
  getIntrospectionQuery,
  getNamedType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isUnionType,
  OperationTypeNode,
  validateSchema,
} from 'graphql';
import type { GraphQLNamedType, GraphQLSchema, IntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { askOver, MUTATION_TRANSPORTS, subscribeOver, TRANSPORTS } from './harness/ask-over.ts';
import type { Transport } from './harness/ask-over.ts';
import type { Operation } from './harness/expect-same.ts';
import { z } from 'zod';
import { compose } from '../testing/compose.ts';
import { isArgs } from './harness/domain.ts';
import { guardedAnswer } from './harness/guarded-answer.ts';
import { GUARDED_SUBGRAPHS } from './harness/guarded-subgraphs.ts';
import { OWNERS, startGuardedWorld } from './harness/guarded-world.ts';
import type { GuardedWorld, GuardedWorldOptions, RandomAsker } from './harness/guarded-world.ts';
import { randomQuery } from './harness/random-query.ts';
import type { RandomQueryOptions } from './harness/random-query.ts';

/*
 * Whoever asks whatever in whatever way, nothing that they may not see is in the answer, and what they may see is. One
 * router answers all, so that what it remembers of one caller meets the next. The long run:
 * FAST_CHECK_RUNS=20000 npx vitest run router/src/conformance/no-leaks.test.ts
 */
const RUNS = inject('fastCheckRuns');
/** Callers who ask the same, one after the other. */
const ASKERS = 4;
const MS_PER_RUN = 200;

const introspectionSchema = z.custom<IntrospectionQuery>((data) => isArgs(data) && '__schema' in data);
const answersSchema = z.tuple([z.object({ data: introspectionSchema })]);

const read = (name: string) => readFileSync(new URL(`../../../schema/${name}.graphql`, import.meta.url), 'utf8');
const SUBGRAPHS = Object.fromEntries(['users', 'voices', 'tts', 'billing'].map((name) => [name, read(name)]));

interface Case {
  operation: Operation;
  askers: { asker: RandomAsker; transport: Transport }[];
}

const REAL = { supergraph: read('supergraph'), subgraphs: SUBGRAPHS };
const GUARDED = { supergraph: compose(GUARDED_SUBGRAPHS), subgraphs: GUARDED_SUBGRAPHS };
const HALF = Math.ceil(RUNS / 2);
const WORLDS: [number, string, GuardedWorldOptions][] = [
  [RUNS, 'the real supergraph, with data of their own', { ...REAL, isPublic: false }],
  [HALF, 'a graph with every kind of guard, with data of their own', { ...GUARDED, isPublic: false }],
  [HALF, 'the same, with data that a cache may give to everybody', { ...GUARDED, isPublic: true }],
];

let world: GuardedWorld;
/** How much of what was sent was marked, and how often something was kept back: a test that sees nothing proves nothing. */
let seen = { cases: 0, marks: 0, kept: 0 };
let before: Operation = { query: '{ __typename }', variables: {} };

async function check({ operation, askers }: Case): Promise<void> {
  for (const { asker, transport } of askers) {
    const { url } = world.router;
    const token = world.tokenOf(asker);
    const isSubscription = operation.query.startsWith('subscription');
    const answers = isSubscription
      ? await subscribeOver(operation, { url, token })
      : [await askOver(transport, operation, { url, token, beside: before })];
    const expected = await guardedAnswer(world, operation, asker);
    seen.cases += 1;
    if (expected.errors !== undefined) seen.kept += 1;
    expect(answers.length).toBeGreaterThan(0);
    for (const { text, data } of answers) {
      expect(leaksIn(text, asker), text).toEqual([]);
      const whole: unknown = JSON.parse(JSON.stringify(expected.data));
      expect(operation.query.includes('@defer') ? reconciled(whole, data) : whole, text).toEqual(data);
    }
  }
  if (operation.query.startsWith('query')) before = operation;
}

/** A null goes up to the part that it is delivered in, and not beyond: what was expected, as far as that is null. */
function reconciled(expected: unknown, delivered: unknown): unknown {
  if (expected === null) return delivered;
  if (Array.isArray(expected) && Array.isArray(delivered)) {
    return expected.map((item, index) => reconciled(item, delivered[index]));
  }
  if (!isArgs(expected) || !isArgs(delivered)) return expected;
  return Object.fromEntries(Object.entries(expected).map(([key, each]) => [key, reconciled(each, delivered[key])]));
}

/** By what the subgraphs' own text says of the fields whose values stand in an answer, and whose they are. */
function leaksIn(text: string, asker: RandomAsker): string[] {
  const marks = world.data.marksIn(text);
  seen.marks += marks.length;
  return marks
    .filter(({ coordinate, owner }) => {
      const [type = '', field = ''] = coordinate.split('.');
      return owner !== world.ownerOf(asker) || !world.guards.maySee(asker, type, field);
    })
    .map(({ coordinate, owner }) => `${coordinate} of ${owner}`);
}

async function introspectedBy(asker: RandomAsker): Promise<GraphQLSchema> {
  const operation = { query: getIntrospectionQuery(), variables: {} };
  const answer = await askOver('post', operation, {
    url: world.router.url,
    token: world.tokenOf(asker),
    beside: operation,
  });
  const [{ data }] = answersSchema.parse(JSON.parse(answer.text));
  return buildClientSchema(data);
}

function fieldsOf(schema: GraphQLSchema): [string, string][] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) || isInterfaceType(type))
    .filter((type) => !isIntrospectionType(type))
    .flatMap((type) => Object.keys(type.getFields()).map((field): [string, string] => [type.name, field]));
}

/** The fields to which a way of fields leads, from the roots on. No way leads through an interface without a field. */
function reachableFields(schema: GraphQLSchema, mayAsk: (field: [string, string]) => boolean): [string, string][] {
  const found: [string, string][] = [];
  const visited = new Set<string>();
  const isEmpty = (type: GraphQLNamedType): boolean =>
    isInterfaceType(type) && !Object.keys(type.getFields()).some((name) => mayAsk([type.name, name]));
  const visit = (type: GraphQLNamedType | null | undefined): void => {
    if (type === null || type === undefined || visited.has(type.name) || isEmpty(type)) return;
    visited.add(type.name);
    if (isUnionType(type) || isInterfaceType(type)) for (const each of schema.getPossibleTypes(type)) visit(each);
    if (!isObjectType(type) && !isInterfaceType(type)) return;
    for (const each of type.getInterfaces()) visit(each);
    for (const [name, field] of Object.entries(type.getFields())) {
      if (!mayAsk([type.name, name]) || isEmpty(getNamedType(field.type))) continue;
      found.push([type.name, name]);
      visit(getNamedType(field.type));
    }
  };
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) visit(root);
  return found;
}

/** Everything, nothing, some families, or any scopes at all: what is common meets in what the router remembers. */
function someScopes(): fc.Arbitrary<readonly string[]> {
  const { scopes } = world.guards;
  const family = (name: string) => scopes.filter((scope) => scope.startsWith(name));
  return fc.oneof(
    fc.constantFrom<readonly string[]>(scopes, [], family('tts'), family('voices'), family('profile'), ['admin:*']),
    fc.subarray([...scopes, 'admin:*', 'unheard:of']),
  );
}

function someAskers(transports: readonly Transport[]): fc.Arbitrary<Case['askers']> {
  const asker: fc.Arbitrary<RandomAsker> = fc
    .record({
      userId: fc.constantFrom(...OWNERS.map((owner) => (owner === 'nobody' ? null : owner))),
      scopes: someScopes(),
      policies: fc.subarray([...world.guards.policies]),
      role: fc.constantFrom('USER', 'SUPPORT', 'ADMIN'),
      plan: fc.constantFrom('FREE', 'PRO'),
    })
    // Whoever is nobody in particular holds nothing.
    .map((each) => (each.userId === null ? { ...each, scopes: [], policies: [] } : each));
  // Every other asks once more what the first has asked, in another way perhaps.
  const one = fc.record({ asker, transport: fc.constantFrom(...transports), isFirst: fc.boolean() });
  return fc.array(one, { minLength: ASKERS, maxLength: ASKERS }).map((all) => {
    return all.map((each) => ({ ...each, asker: (each.isFirst ? all[0] : undefined)?.asker ?? each.asker }));
  });
}

async function expectNoLeaks(
  options: RandomQueryOptions,
  { answers, transports }: { answers: number; transports: readonly Transport[] },
): Promise<void> {
  const operation = randomQuery(world.schema, { depth: 4, name: 'Same', ...options });
  const cases = fc.record({ operation, askers: someAskers(transports) });
  await fc.assert(fc.asyncProperty(cases, check), { numRuns: Math.ceil(answers / ASKERS) });
}

describe.each(WORLDS)('of %d answers to random callers of %s', (answers, _name, options) => {
  const timeout = 60_000 + answers * MS_PER_RUN;

  beforeAll(async () => {
    world = await startGuardedWorld(options);
    seen = { cases: 0, marks: 0, kept: 0 };
    before = { query: '{ __typename }', variables: {} };
  });
  afterAll(() => world.close());

  describe('none has what its caller may not see, and all have what they may', () => {
    test('queries', { timeout }, () => expectNoLeaks({}, { answers: answers * 0.6, transports: TRANSPORTS }));

    test('queries of which parts are delivered later', { timeout }, () =>
      expectNoLeaks({ defer: true }, { answers: answers * 0.2, transports: ['multipart', 'ws', 'sse', 'post'] }),
    );

    test('mutations', { timeout }, () =>
      expectNoLeaks(
        { operation: OperationTypeNode.MUTATION },
        { answers: answers * 0.1, transports: MUTATION_TRANSPORTS },
      ),
    );

    test('subscriptions', { timeout }, () =>
      expectNoLeaks({ operation: OperationTypeNode.SUBSCRIPTION }, { answers: answers * 0.1, transports: ['ws'] }),
    );
  });

  test('introspection tells of all that they may ask for, and of nothing else', { timeout }, async () => {
    const asker = someAskers(['post']).map(([one]) => one?.asker);
    await fc.assert(
      fc.asyncProperty(asker, async (one) => {
        if (one === undefined) return;
        const told = await introspectedBy(one);
        expect(fieldsOf(told).filter(([type, field]) => !world.guards.mayAsk(one, type, field))).toEqual([]);
        const all = reachableFields(world.schema, ([type, field]) => world.guards.mayAsk(one, type, field));
        expect(fieldsOf(told).map(String).toSorted()).toEqual(all.map(String).toSorted());
        expect(validateSchema(told)).toEqual([]);
      }),
      { numRuns: Math.ceil(answers / 20) },
    );
  });

  test('a good part had something to show, and something to keep back, and came from the cache', async () => {
    expect(seen.cases).toBeGreaterThanOrEqual(answers);
    expect(seen.marks / seen.cases).toBeGreaterThan(1);
    expect(seen.kept / seen.cases).toBeGreaterThan(0.2);
    expect(await world.router.metric('timbre_router_response_cache_saved_calls_total')).toBeGreaterThan(answers / 20);
  });
});
