import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { plannerThreads } from './supergraph/planner-threads.ts';
import { compose } from './testing/compose.ts';
import { startControlledSubgraph } from './testing/controlled-subgraph.ts';
import type { ControlledSubgraph } from './testing/controlled-subgraph.ts';
import { createTestIssuer } from './testing/test-issuer.ts';
import { codesOf, startTestRouter } from './testing/test-router.ts';
import type { TestRouter } from './testing/test-router.ts';
import { until } from './testing/until.ts';

const BOOKS = 'type Query { book: String old: String } type Mutation { print: String }';
const SHOPS = 'type Query { shop: String }';
const LOCK = '@link(url: "https://example.com/lock/v1.0", for: SECURITY)';
const supergraphs = {
  first: compose({ books: BOOKS, shops: SHOPS }),
  second: compose({ books: BOOKS.replace('old', 'new').replace('print', 'publish'), shops: SHOPS }),
  withoutShops: compose({ books: BOOKS }),
};

let books: ControlledSubgraph;
let shops: ControlledSubgraph;
let router: TestRouter;

const subgraphUrl = (name: string) => (name === 'books' ? books.url : shops.url);
const start = (options: Parameters<typeof startTestRouter>[1] = {}) =>
  startTestRouter({ supergraph: supergraphs.first, subgraphUrl }, options);

beforeEach(async () => {
  books = await startControlledSubgraph({ book: 'Emma', old: 'an old one', new: 'a new one', print: 'printed' });
  shops = await startControlledSubgraph({ shop: 'Corner' });
  router = await start();
});

afterEach(async () => {
  await router.close();
  await Promise.all([books.close(), shops.close()]);
});

describe('a reload', () => {
  test('ends what is in flight on the supergraph that it began on, and begins on the new one at once', async () => {
    const holds = [books.hold('old'), books.hold('print')];
    const query = router.query('{ old }');
    const mutation = router.query('mutation { print }');
    await Promise.all(holds.map(({ held }) => held));
    await router.reload(supergraphs.second);

    expect((await router.query('{ new }')).data).toEqual({ new: 'a new one' });
    expect(codesOf(await router.query('{ old }'))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    for (const { release } of holds) release();
    expect(await query).toMatchObject({ data: { old: 'an old one' }, errors: [] });
    expect(await mutation).toMatchObject({ data: { print: 'printed' }, errors: [] });
    expect(books.asked.filter((asked) => asked.includes('print'))).toHaveLength(1);
  });

  test('keeps the connections to subgraphs that stay, and closes the others when nothing needs them', async () => {
    const { held, release } = shops.hold('shop');
    const query = router.query('{ book shop }');
    await held;
    await router.reload(supergraphs.withoutShops);
    expect((await router.query('{ book }')).data).toEqual({ book: 'Emma' });
    await delay(1_200);
    expect(shops.sockets().open).toBe(1);
    release();
    expect((await query).data).toEqual({ book: 'Emma', shop: 'Corner' });
    await until(() => shops.sockets().open === 0);
    expect(books.sockets()).toEqual({ open: 1, ever: 1 });
  });

  test('leaves what is delivered later on the supergraph that it began on', async () => {
    const { held, release } = shops.hold('shop');
    const response = await fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824, application/json' },
      body: JSON.stringify({ query: '{ book ... @defer { shop } }' }),
    });
    await held;
    await router.reload(supergraphs.withoutShops);
    await delay(1_200);
    release();
    expect(await response.text()).toContain('"data":{"shop":"Corner"}');
    await until(() => shops.sockets().open === 0);
  });

  test.each([
    ['no GraphQL', 'type Query {', /Syntax Error/],
    ['no supergraph', 'type Query { a: Int }', /core schema/],
    ['a feature that is not known', supergraphs.second.replace('schema\n', `schema ${LOCK}\n`), /example\.com\/lock/],
  ])('to %s is refused, and the present one goes on', async (_name, sdl, message) => {
    await expect(router.reload(sdl)).rejects.toThrow(message);
    expect((await router.query('{ old }')).data).toEqual({ old: 'an old one' });
    expect(await router.metric('timbre_router_reloads_total', { outcome: 'refused' })).toBe(1);
    await router.reload(supergraphs.second);
    expect((await router.query('{ new }')).data).toEqual({ new: 'a new one' });
    expect(await router.metric('timbre_router_reloads_total', { outcome: 'swapped' })).toBe(1);
  });

  test('to an address that is none is refused', async () => {
    const alone = await startTestRouter({ supergraph: supergraphs.first, subgraphUrl: () => undefined });
    const sdl = supergraphs.second.replaceAll('http://books.invalid/graphql', 'nowhere');
    await expect(alone.reload(sdl)).rejects.toThrow('Invalid URL');
    await alone.close();
  });

  test('to the same changes nothing', async () => {
    await router.reload(supergraphs.first);
    expect(await router.metric('timbre_router_reloads_total', { outcome: 'unchanged' })).toBe(1);
    expect((await router.query('{ book }')).data).toEqual({ book: 'Emma' });
  });

  test('one after the other, in the order in which they were asked for', async () => {
    const { second, withoutShops, first } = supergraphs;
    await Promise.all([second, withoutShops, first, second].map((sdl) => router.reload(sdl)));
    expect((await router.query('{ new }')).data).toEqual({ new: 'a new one' });
    expect(await router.metric('timbre_router_supergraph_info')).toBe(1);
  });

  test('many times leaves nothing behind', async () => {
    const running = { ended: false };
    const load = (async () => {
      while (!running.ended) {
        expect(await router.query('{ book }')).toMatchObject({ status: 200, data: { book: 'Emma' }, errors: [] });
      }
    })();
    for (let i = 0; i < 12; i += 1) {
      await router.reload(i % 2 === 0 ? supergraphs.withoutShops : supergraphs.first);
      if (i % 2 === 1) expect((await router.query('{ shop }')).data).toEqual({ shop: 'Corner' });
    }
    await router.reload(supergraphs.withoutShops);
    running.ended = true;
    await load;
    await until(async () => (await plannerThreads().loaded()).length === 1);
    await until(() => shops.sockets().open === 0);
    expect(books.sockets().ever).toBeLessThan(4);
  });
});

describe('other policies', () => {
  test('hold for what begins from then on, also on a socket that is open; what is not given is off', async () => {
    const client = router.wsClient();
    const overSocket = async () => {
      const results = client.iterate({ query: '{ __schema { queryType { name } } book }' });
      return (await results.next()).value;
    };
    expect(await overSocket()).toMatchObject({ data: { book: 'Emma' } });
    const { held, release } = books.hold('old');
    const query = router.query('{ old shop }');
    await held;

    await router.configure({ mayIntrospect: () => false, limits: { maxRootFields: 1 } });
    release();
    expect((await query).data).toEqual({ old: 'an old one', shop: 'Corner' });
    expect(codesOf(await router.query('{ book shop }'))).toEqual(['OPERATION_LIMIT_EXCEEDED']);
    await expect(overSocket()).rejects.toMatchObject([{ extensions: { code: 'OPERATION_LIMIT_EXCEEDED' } }]);
    expect(codesOf(await router.query('{ __schema { queryType { name } } }'))).toEqual(['INTROSPECTION_DISABLED']);

    await router.configure({});
    expect((await router.query('{ book shop }')).data).toEqual({ book: 'Emma', shop: 'Corner' });
    expect(await overSocket()).toMatchObject({ data: { book: 'Emma' } });
  });

  test('that are none change nothing', async () => {
    await expect(
      router.configure({ cors: { origins: ['*'], credentials: true }, limits: { maxRootFields: 1 } }),
    ).rejects.toThrow(/credentials/);
    expect((await router.query('{ book shop }')).errors).toEqual([]);
  });
});

describe('the busiest operations', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'timbre-hot-'));
  });
  afterAll(() => rm(directory, { recursive: true }));
  const misses = (of: TestRouter) => of.metric('timbre_router_plan_cache_lookups_total', { outcome: 'miss' });

  test('are planned before a new supergraph is served', async () => {
    await router.query('query A { book } query B { shop }', { operationName: 'A' });
    await router.query('{ old }');
    expect(await misses(router)).toBe(2);
    await router.reload(supergraphs.second);
    await router.query('query A { book } query B { shop }', { operationName: 'A' });
    expect(await misses(router)).toBe(2);
    await router.query('query A { book } query B { shop }', { operationName: 'B' });
    expect(await misses(router)).toBe(3);
  });

  test('are planned before the next process serves, and tell nobody who asked what', async () => {
    const hotOperationsFile = join(directory, 'deeper', 'hot-operations.json');
    const issuer = await createTestIssuer();
    const token = await issuer.sign({ scope: 'read:secrets' });
    const before = await start({ hotOperationsFile, issuer });
    const query = 'query ($yes: Boolean!) { book @include(if: $yes) old }';
    expect((await before.query(query, { variables: { yes: true, note: 'variable-4711' }, token })).errors).toEqual([]);
    await before.drain();
    await before.close();

    const file = await readFile(hotOperationsFile, 'utf8');
    expect(file).toContain('$yes');
    expect(file).not.toMatch(/4711|user-1|read:secrets|eyJ/);

    const after = await start({ hotOperationsFile, issuer });
    await after.query(query, { variables: { yes: true }, token });
    expect(await misses(after)).toBe(0);
    await after.close();
  });

  test.each([
    '',
    '{"version":2}',
    '{"version":1,"operations":[{"query":"{ book }","operationName":null,"incremental":false,"access":"{","uses":1}]}',
  ])('that cannot be read (%j) stop nobody', async (content) => {
    const hotOperationsFile = join(directory, 'garbage.json');
    await writeFile(hotOperationsFile, content);
    const started = await start({ hotOperationsFile });
    expect((await started.query('{ book }')).data).toEqual({ book: 'Emma' });
    await started.close();
  });
});
