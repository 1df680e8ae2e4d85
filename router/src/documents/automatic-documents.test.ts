import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { createMemoryCache } from '@timbre/platform/cache/memory-cache';
import { createRedisCache } from '@timbre/platform/cache/redis-cache';
import { createLogger } from '@timbre/platform/logger';
import { openShared } from '@timbre/platform/services';
import type { SharedServices } from '@timbre/platform/services';
import { redisMissing, startRedis } from '@timbre/platform/testing/redis';
import type { RedisServer } from '@timbre/platform/testing/redis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { get, named, post, sha256 } from '../testing/persisted-queries.ts';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';
import type { DocumentsOptions } from './documents-policy.ts';

let graph: TestGraph;
let issuer: TestIssuer;
const routers: TestRouter[] = [];

beforeAll(async () => {
  graph = await startTestGraph();
  issuer = await createTestIssuer();
});

afterEach(async () => {
  await Promise.all(routers.splice(0).map((router) => router.close()));
});

afterAll(async () => {
  await graph.close();
});

async function start(documents: DocumentsOptions | null, options = {}): Promise<TestRouter> {
  const router = await startTestRouter(graph, { issuer, documents, ...options });
  routers.push(router);
  return router;
}

const QUERY = 'query Name { person(id: "p1") { name } }';
const ANSWER = { person: { name: 'Person p1' } };

describe('automatic persisted queries', () => {
  const AUTOMATIC: DocumentsOptions = { automatic: {}, trusted: null };

  test('a hash is asked back for its document once, then answered, over every transport', async () => {
    const router = await start(AUTOMATIC, { batching: { maximum: 10 } });
    for (const accept of ['application/json', 'application/graphql-response+json']) {
      const unknown = await post(router, { extensions: named(sha256(QUERY)) }, { accept });
      expect([unknown.status, unknown.data]).toEqual([200, undefined]);
      expect(unknown.errors).toMatchObject([
        { message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } },
      ]);
    }
    expect((await post(router, { query: QUERY, extensions: named(sha256(QUERY)) })).data).toEqual(ANSWER);

    expect((await post(router, { extensions: named(sha256(QUERY)) })).data).toEqual(ANSWER);
    expect((await post(router, { query: null, extensions: named(sha256(QUERY)) })).data).toEqual(ANSWER);
    expect((await get(router, { extensions: JSON.stringify(named(sha256(QUERY))) })).data).toEqual(ANSWER);
    const batch = await post(router, [{ extensions: named(sha256(QUERY)) }, { extensions: named('f'.repeat(64)) }]);
    expect(JSON.parse(batch.text)).toMatchObject([
      { data: ANSWER },
      { errors: [{ message: 'PersistedQueryNotFound' }] },
    ]);
    const socket = await openSocket(router.wsUrl);
    socket.say({ type: 'connection_init' });
    await socket.hear('connection_ack');
    socket.say({ id: '1', type: 'subscribe', payload: { extensions: named(sha256(QUERY)) } });
    expect(await socket.hear('next')).toMatchObject({ payload: { data: ANSWER } });
    socket.say({ id: '2', type: 'subscribe', payload: { extensions: named('f'.repeat(64)) } });
    expect(await socket.hear('error')).toMatchObject({ payload: [{ message: 'PersistedQueryNotFound' }] });
    socket.socket.terminate();
  });

  test("is what Apollo Client's link speaks, with GET for hashes", async () => {
    const router = await start(AUTOMATIC);
    const sent: string[] = [];
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      link: new PersistedQueryLink({ sha256, useGETForHashedQueries: true }).concat(
        new HttpLink({
          uri: router.url,
          fetch: (uri, init) => {
            sent.push(init?.method ?? 'GET');
            return fetch(uri, init);
          },
        }),
      ),
    });
    for (const fetchPolicy of ['network-only', 'network-only'] as const) {
      const { data } = await client.query({ query: gql(QUERY), fetchPolicy });
      expect(data).toMatchObject(ANSWER);
    }
    expect(sent).toEqual(['GET', 'POST', 'GET']);
    client.stop();
  });

  test.each([
    ['a hash of something else', sha256('{ me { id } }'), 1],
    ['a hash in upper case', sha256(QUERY).toUpperCase(), 1],
    ['half a hash', sha256(QUERY).slice(0, 32), 1],
    ['no hexadecimal digits', 'z'.repeat(64), 1],
    ['nothing', '', 1],
    ['a number', 7, 1],
    ['a very long hash', 'a'.repeat(50_000), 1],
    ['version 2', sha256(QUERY), 2],
    ['no version', sha256(QUERY), null],
  ])('%s is refused, with and without a document, and nothing is remembered', async (_name, id, version) => {
    const router = await start(AUTOMATIC);
    const extensions = named(id, version);
    const withDocument = await post(router, { query: QUERY, extensions });
    expect([withDocument.status, codesOf(withDocument)]).toEqual([400, ['BAD_REQUEST']]);
    const alone = await post(router, { extensions });
    expect(codesOf(alone)).toEqual([id === sha256('{ me { id } }') ? 'PERSISTED_QUERY_NOT_FOUND' : 'BAD_REQUEST']);
    expect(codesOf(await post(router, { extensions: named(sha256(QUERY)) }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
  });

  test('a name that is no object is refused', async () => {
    const router = await start(AUTOMATIC);
    for (const persistedQuery of ['x', 1, [], true]) {
      const answer = await post(router, { query: QUERY, extensions: { persistedQuery } });
      expect([answer.status, codesOf(answer)]).toEqual([400, ['BAD_REQUEST']]);
    }
    expect((await post(router, { query: QUERY, extensions: { persistedQuery: null } })).data).toEqual(ANSWER);
  });

  test("what else is in the extensions, however large and deep, is nobody's business", async () => {
    const router = await start(AUTOMATIC);
    const deep: unknown = JSON.parse(`${'['.repeat(2_000)}${']'.repeat(2_000)}`);
    const { persistedQuery } = named(sha256(QUERY));
    const extensions = { persistedQuery: { ...persistedQuery, junk: 'x'.repeat(500_000) }, deep };
    expect((await post(router, { query: QUERY, extensions })).data).toEqual(ANSWER);
    expect((await post(router, { extensions: named(sha256(QUERY)) })).data).toEqual(ANSWER);
  });

  test('texts that only their encoding makes equal are not taken for each other', async () => {
    const router = await start(AUTOMATIC);
    const hostile = '{ person(id: "\ud800") { name } }';
    const extensions = named(sha256('{ person(id: "\ufffd") { name } }'));
    expect(codesOf(await post(router, { query: hostile, extensions }))).toEqual(['BAD_REQUEST']);
  });

  test('what is no valid document is not remembered, nor one that may not be asked here', async () => {
    const router = await start(AUTOMATIC, { mayIntrospect: () => false });
    for (const query of ['{', '{ nothing }', '{ __schema { types { name } } }']) {
      const extensions = named(sha256(query));
      expect((await post(router, { query, extensions })).errors).not.toEqual([]);
      expect(codesOf(await post(router, { extensions }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
    }
  });

  test('a document gives nobody the rights of who sent it first', async () => {
    const router = await start(AUTOMATIC);
    const query = '{ me { name email } }';
    const extensions = named(sha256(query));
    const token = await issuer.sign({ scope: 'profile:read' });
    const mine = await post(router, { query, extensions }, { authorization: `Bearer ${token}` });
    expect(mine.data).toMatchObject({ me: { email: expect.any(String) } });
    const stranger = await post(router, { extensions });
    expect(stranger.data).toEqual({ me: null });
    expect(codesOf(stranger)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE']);
  });

  test('is shared by the routers that share a cache, which is not believed', async () => {
    const shared = createMemoryCache();
    const options = { automatic: { shared }, trusted: null };
    const [one, other] = [await start(options), await start(options)];
    await post(one, { query: QUERY, extensions: named(sha256(QUERY)) });
    expect((await post(other, { extensions: named(sha256(QUERY)) })).data).toEqual(ANSWER);

    const forged = sha256('{ who { userId } }');
    await shared.set(`document:${forged}`, '{ me { email } }', 60_000);
    expect(codesOf(await post(other, { extensions: named(forged) }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
  });

  test('a shared cache that is slow or broken costs no more than sending the document', async () => {
    const memory = createMemoryCache();
    for (const read of [() => new Promise<undefined>(() => undefined), () => Promise.reject(new Error('away'))]) {
      const shared = { ...memory, get: read, set: () => Promise.reject(new Error('away')) };
      const router = await start({ automatic: { shared }, trusted: null });
      const extensions = named(sha256(QUERY));
      expect(codesOf(await post(router, { extensions }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
      expect((await post(router, { query: QUERY, extensions })).data).toEqual(ANSWER);
      expect((await post(router, { extensions })).data).toEqual(ANSWER);
    }
  });

  test('memory is bounded: what is long is answered and not remembered, what is old is forgotten', async () => {
    const router = await start(AUTOMATIC);
    const long = `# ${'x'.repeat(100_000)}\n${QUERY}`;
    expect((await post(router, { query: long, extensions: named(sha256(long)) })).data).toEqual(ANSWER);
    expect(codesOf(await post(router, { extensions: named(sha256(long)) }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);

    const padded = (i: number) => `# ${String(i).padEnd(90_000, 'x')}\n${QUERY}`;
    for (let i = 0; i < 50; i += 1) await post(router, { query: padded(i), extensions: named(sha256(padded(i))) });
    expect(codesOf(await post(router, { extensions: named(sha256(padded(0))) }))).toEqual([
      'PERSISTED_QUERY_NOT_FOUND',
    ]);
    expect((await post(router, { extensions: named(sha256(padded(49))) })).data).toEqual(ANSWER);
  });

  test('where it is off, clients are told not to try again', async () => {
    const answer = await post(await start(null), { extensions: named(sha256(QUERY)) });
    expect(answer.errors).toMatchObject([
      { message: 'PersistedQueryNotSupported', extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } },
    ]);
    expect(answer.status).toBe(200);
  });
});

if (redisMissing !== null) process.stderr.write(`Documents in Redis are not tested: ${redisMissing}.\n`);

describe.skipIf(redisMissing !== null)('two routers and one Redis', () => {
  let server: RedisServer;
  const connections: SharedServices[] = [];

  beforeAll(async () => {
    server = await startRedis();
  });

  afterAll(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await server.stop();
  });

  const log = createLogger({ name: 'test', level: 'silent' });

  async function router(): Promise<TestRouter> {
    const shared = await openShared(server.url, log);
    connections.push(shared);
    return start({ automatic: { shared: shared.cache }, trusted: null });
  }

  test('what one was sent the other knows; slow, away and back, Redis fails nothing', async () => {
    const [one, other] = [await router(), await router()];
    const extensions = named(sha256(QUERY));
    await post(one, { query: QUERY, extensions });
    await until(async () => (await server.client.exists(`timbre:cache:document:${sha256(QUERY)}`)) === 1);
    // A Redis that does not answer at once is not waited for.
    await until(async () => codesOf(await post(other, { extensions })).length === 0);
    expect((await post(other, { extensions })).data).toEqual(ANSWER);
    expect(await server.client.pttl(`timbre:cache:document:${sha256(QUERY)}`)).toBeGreaterThan(80_000_000);

    const asks = async () => codesOf(await post(await router(), { extensions }));
    // Over a connection that waits for an answer without an end.
    const cache = createRedisCache({ redis: server.client, log });
    const third = await start({ automatic: { shared: cache }, trusted: null });
    server.pause();
    expect(codesOf(await post(third, { extensions }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
    expect((await post(third, { query: QUERY, extensions })).data).toEqual(ANSWER);
    expect((await post(third, { extensions })).data).toEqual(ANSWER);
    server.resume();
    await until(async () => (await asks()).length === 0);

    await server.kill();
    expect((await post(other, { extensions })).data).toEqual(ANSWER);
    const next = '{ who { roles } }';
    expect((await post(one, { query: next, extensions: named(sha256(next)) })).errors).toEqual([]);
    expect((await post(one, { extensions: named(sha256(next)) })).errors).toEqual([]);
    expect(codesOf(await post(other, { extensions: named(sha256(next)) }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
    await server.start();
  });
});
