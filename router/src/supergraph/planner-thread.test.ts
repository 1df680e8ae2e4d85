import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { GraphQLError } from 'graphql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compose } from '../testing/compose.ts';
import { createPlannerThread } from './planner-thread.ts';
import type { PlannerThread } from './planner-thread.ts';
import { parseQueryPlan } from './query-plan-schema.ts';

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@inaccessible"])';

const supergraph = (field = 'name') =>
  compose({
    a: `${LINK}
      interface Named { id: ID! }
      type User implements Named @key(fields: "id") { id: ID! ${field}: String }
      type Hidden implements Named @inaccessible { id: ID! }
      union Any = User | Hidden
      type Query { me: User named: Named any: Any }
      type Subscription { users: User }`,
    b: `${LINK} type User @key(fields: "id") { id: ID! age: Int } type Query { users: [User] }`,
  });

let thread: PlannerThread;
beforeEach(() => {
  thread = createPlannerThread();
});
afterEach(() => thread.close());

describe('a supergraph', () => {
  test('is known by its API schema with @defer, its possible types and its subgraphs', async () => {
    const { apiSchema, possibleTypes, subgraphs } = await thread.load(supergraph());
    expect(apiSchema).toContain('directive @defer(');
    expect(apiSchema).not.toMatch(/Hidden|join__/);
    expect(possibleTypes.get('Named')).toEqual(new Set(['User', 'Hidden']));
    expect(possibleTypes.get('Any')).toEqual(new Set(['User', 'Hidden']));
    expect(subgraphs.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('is held once however often it is loaded, and let go with its last user', async () => {
    const [first, second, other] = await Promise.all([
      thread.load(supergraph()),
      thread.load(supergraph()),
      thread.load(supergraph('title')),
    ]);
    expect(await thread.loaded()).toEqual([first.id, other.id]);
    first.unload();
    first.unload();
    expect(await thread.loaded()).toEqual([first.id, other.id]);
    second.unload();
    expect(await thread.loaded()).toEqual([other.id]);
    await expect(second.plan('{ me { name } }')).rejects.toThrow('unloaded');
  });

  test('that is none is refused with what is wrong, and leaves nothing behind', async () => {
    const bad = thread.load('type Query { a: Int }');
    await expect(bad).rejects.toThrow(/core schema/);
    await expect(thread.load('type {')).rejects.toThrow(GraphQLError);
    expect(await thread.loaded()).toEqual([]);
  });
});

describe('a plan', () => {
  test.each([
    ['{ users { id name } }', 'Sequence'],
    ['{ me { id ... @defer(label: "later") { age } } }', 'Defer'],
    ['query ($if: Boolean!) { me @skip(if: $if) { id age } users { id } }', 'Parallel'],
    ['subscription { users { name age } }', 'Subscription'],
  ])('of %s comes whole', async (document, kind) => {
    const json = await (await thread.load(supergraph())).plan(document);
    const plan = parseQueryPlan(json);
    expect(plan.node?.kind).toBe(kind);
    expect(JSON.parse(JSON.stringify(plan))).toEqual(JSON.parse(json));
  });

  test('of a subscription with @defer is none', async () => {
    const { plan } = await thread.load(supergraph());
    await expect(plan('subscription { users { id ... @defer { age } } }')).rejects.toMatchObject({
      name: 'PlanningFailure',
      reason: 'unsupported',
    });
  });

  test.each([
    ['{}', 'QueryPlan'],
    ['null', 'expected object'],
    ['{"kind":"QueryPlan","node":{"kind":"Fetch"}}', 'serviceName'],
    ['{"kind":"Que', 'JSON'],
  ])('is not %s', (json, message) => {
    expect(() => parseQueryPlan(json)).toThrow(message);
  });
});

describe('a thread', () => {
  test('that runs out of memory fails what it was at; the next one knows what was loaded and does the rest', async () => {
    thread = createPlannerThread({ maxHeapMb: 48 });
    const good = await thread.load(supergraph());
    const fields = Array.from({ length: 300 }, (_, i) => `f${i}: String`).join(' ');
    const types = Array.from({ length: 300 }, (_, i) => `type T${i} { ${fields} }`).join(' ');
    const roots = Array.from({ length: 300 }, (_, i) => `t${i}: T${i}`).join(' ');
    const huge = supergraph().replace('type Query', `${types} type Root { ${roots} } type Query`);
    const loading = thread.load(huge);
    const planning = good.plan('{ me { name } }');
    await expect(loading).rejects.toMatchObject({ name: 'PlanningFailure', reason: 'lost' });
    expect(parseQueryPlan(await planning).node?.kind).toBe('Fetch');
    expect(await thread.loaded()).toEqual([good.id]);
  });

  test('does not let one operation keep the others waiting', async () => {
    thread = createPlannerThread({ planDeadlineMs: 1_000 });
    const { plan } = await thread.load(supergraph());
    // Two plans for each condition that is left open.
    const names = Array.from({ length: 14 }, (_, i) => `$v${i}`);
    const definitions = names.map((name) => `${name}: Boolean!`).join(' ');
    const defers = names.map((name) => `... @defer(if: ${name}) { age }`).join(' ');
    const endless = plan(`query (${definitions}) { me { ${defers} } }`);
    const other = plan('{ me { name } }');
    await expect(endless).rejects.toMatchObject({ name: 'PlanningFailure', reason: 'limit' });
    expect(parseQueryPlan(await other).node?.kind).toBe('Fetch');
  });

  test("holds Apollo's parts, and the rest of the process does not", async () => {
    const script = `
      import { createRequire } from 'node:module';
      import { createRouter } from ${JSON.stringify(new URL('../router.ts', import.meta.url).href)};
      import { createLogger } from '@timbre/platform/logger';
      const log = createLogger({ name: 'router', level: 'silent' });
      await createRouter({ log, supergraph: ${JSON.stringify(supergraph())} });
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(loaded.length > 0, loaded.filter((file) => file.includes('@apollo')).length);`;
    const cwd = new URL('.', import.meta.url);
    const { stdout } = await promisify(execFile)(process.execPath, ['--eval', script], { cwd });
    expect(stdout.trim()).toBe('true 0');
  });

  test('keeps the process while somebody waits, and not when it is idle', async () => {
    const script = `
      import { createPlannerThread } from ${JSON.stringify(new URL('planner-thread.ts', import.meta.url).href)};
      const loaded = await createPlannerThread().load(${JSON.stringify(supergraph())});
      console.log(loaded.subgraphs.length);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--eval', script]);
    expect(stdout.trim()).toBe('2');
  });
});
