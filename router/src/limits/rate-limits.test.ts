import { createLogger } from '@timbre/platform/logger';
import { openShared } from '@timbre/platform/services';
import type { SharedServices } from '@timbre/platform/services';
import { redisMissing, startRedis } from '@timbre/platform/testing/redis';
import type { RedisServer } from '@timbre/platform/testing/redis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RouterOptions } from '../router-options.ts';
import { openSocket } from '../testing/raw-socket.ts';
import { startTestGraph } from '../testing/test-graph.ts';
import type { TestGraph } from '../testing/test-graph.ts';
import { createTestIssuer } from '../testing/test-issuer.ts';
import type { TestIssuer } from '../testing/test-issuer.ts';
import { codesOf, startTestRouter } from '../testing/test-router.ts';
import type { TestRouter } from '../testing/test-router.ts';
import { until } from '../testing/until.ts';
import { createCallers } from './callers.ts';
import type { RateOptions } from './rate-limits.ts';

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

async function start(rates: RateOptions, more: Partial<RouterOptions> = {}): Promise<TestRouter> {
  const router = await startTestRouter(graph, { issuer, rates, ...more });
  routers.push(router);
  return router;
}
const QUERY = '{ who { userId } }';
const times = <T>(count: number, ask: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => ask(i)));
const refused = (answers: { errors: readonly object[] }[]) => answers.filter(({ errors }) => errors.length > 0).length;

describe('rates', () => {
  // One a minute does not come back while a test runs.
  const SLOW = 1 / 60;

  test('hold for a principal whatever the token, and another has its own', async () => {
    const router = await start({ perPrincipal: SLOW });
    const [ada, again, bob] = [
      await issuer.sign({ sub: 'ada' }),
      await issuer.sign({ sub: 'ada', scope: 'profile:read' }),
      await issuer.sign({ sub: 'bob' }),
    ];
    expect((await router.query(QUERY, { token: ada })).errors).toEqual([]);
    const second = await router.query(QUERY, { token: again });
    expect(second.status).toBe(429);
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(10);
    expect(second.errors).toMatchObject([
      {
        message: 'Too many requests: the limit is one in 60 seconds.',
        extensions: { code: 'RATE_LIMITED', details: { limit: 'requests', perSecond: SLOW } },
      },
    ]);
    expect((await router.query(QUERY, { token: bob })).errors).toEqual([]);
    // The anonymous have a limit of their own, and here none.
    expect(refused(await times(5, () => router.query(QUERY)))).toBe(0);
  });

  test('come back with the next window', async () => {
    const router = await start({ perAddress: 5 });
    // More than the windows of twenty seconds have room for.
    const answers = await times(100, () => router.query(QUERY));
    expect(refused(answers)).toBeGreaterThanOrEqual(1);
    await until(async () => (await router.query(QUERY)).errors.length === 0);
  });

  test('hold over websockets too, and close the socket of who does not stop', async () => {
    const router = await start({ perAddress: SLOW });
    const socket = await openSocket(router.wsUrl);
    socket.say({ type: 'connection_init' });
    await socket.hear('connection_ack');
    socket.say(...Array.from({ length: 10 }, (_, i) => ({ id: `${i}`, type: 'subscribe', payload: { query: QUERY } })));
    await socket.hear('next');
    await until(() => socket.messages.filter(({ type }) => type === 'error').length === 9);
    expect(codesOf(await router.query(QUERY))).toEqual(['RATE_LIMITED']);
    for (let i = 0; i < 101; i += 1) socket.say({ id: `x${i}`, type: 'subscribe', payload: { query: QUERY } });
    expect((await socket.closed).code).toBe(4429);
  });

  test('count each operation of a batch', async () => {
    const router = await start({ perAddress: SLOW }, { batching: { maximum: 10 } });
    const response = await fetch(router.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(Array.from({ length: 10 }, () => ({ query: QUERY }))),
    });
    const text = await response.text();
    expect(text.match(/"who"/g)).toHaveLength(1);
    expect(text.match(/"RATE_LIMITED"/g)).toHaveLength(9);
  });

  test('can be set for an operation by its name in the document', async () => {
    const router = await start({ operations: { Who: SLOW } });
    const document = `query Who ${QUERY} query Other ${QUERY}`;
    const ask = (operationName: string) => router.query(document, { operationName });
    expect((await ask('Who')).errors).toEqual([]);
    expect(codesOf(await ask('Who'))).toEqual(['RATE_LIMITED']);
    expect((await ask('Who')).errors[0]?.message).toContain('of the operation Who');
    expect((await ask('Other')).errors).toEqual([]);
    // What the request says does not count.
    expect(codesOf(await router.query(`query Who ${QUERY}`))).toEqual(['RATE_LIMITED']);
    const renamed = await router.query(`query Who ${QUERY}`, { operationName: 'Other' });
    expect(codesOf(renamed)).toEqual(['OPERATION_RESOLUTION_FAILURE']);
  });
});

describe('callers', () => {
  const keyOf = (address: string | null) => createCallers().ofAddress(address).key;

  test.each([
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['2001:db8::1', '2001:0DB8:0:0:ffff::2', true],
    ['2001:db8::1', '2001:db8:0:1::1', false],
    ['::1', '::2', true],
    ['fe80::1%eth0', 'fe80::2%eth1', true],
    ['64:ff9b::192.0.2.1', '64:ff9b::198.51.100.7', true],
    ['2001:db8:1:2:3:4:192.0.2.1', '2001:db8:1:2::', true],
  ])('%s and %s: the same is %s', (one, other, same) => {
    expect(keyOf(one) === keyOf(other)).toBe(same);
  });

  test('are forgotten when nothing runs for them, and kept while something does', () => {
    const callers = createCallers();
    const busy = callers.ofAddress('192.0.2.1');
    busy.sockets += 1;
    const idle = callers.ofAddress('192.0.2.2');
    for (let i = 0; i < 30_000; i += 1) callers.ofAddress(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    expect(callers.ofAddress('192.0.2.1')).toBe(busy);
    expect(callers.ofAddress('192.0.2.2')).not.toBe(idle);
  });
});

if (redisMissing !== null) process.stderr.write(`Rates over Redis are not tested: ${redisMissing}.\n`);

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

  async function pair(rates: RateOptions): Promise<[TestRouter, TestRouter]> {
    const one = async () => {
      const shared = await openShared(server.url, createLogger({ name: 'test', level: 'silent' }));
      connections.push(shared);
      return start(rates, { limiter: shared.relaxedLimiter });
    };
    return [await one(), await one()];
  }

  /** By all routers, of an operation. */
  async function counted(name: string): Promise<number> {
    const [key] = await server.client.keys(`*operation:${name}*`);
    return key === undefined ? 0 : Number(await server.client.get(key));
  }

  test('what one has given the other does not give again', async () => {
    const [one, other] = await pair({ operations: { Shared: 1 / 30 } });
    const query = `query Shared ${QUERY}`;
    expect((await one.query(query)).errors).toEqual([]);
    expect((await other.query(query)).errors).toEqual([]);
    await until(async () => (await counted('Shared')) === 2);
    expect(codesOf(await one.query(query))).toEqual(['RATE_LIMITED']);
    expect(codesOf(await other.query(query))).toEqual(['RATE_LIMITED']);
  });

  test('Redis stopped, back and gone: nothing fails or waits, and each counts for itself meanwhile', async () => {
    const [one, other] = await pair({ perAddress: 1 / 30 });
    await server.kill();
    for (const router of [one, other]) {
      expect((await router.query(QUERY)).errors).toEqual([]);
      expect(codesOf(await router.query(QUERY))).toEqual(['RATE_LIMITED']);
    }
    await server.start();
    expect(codesOf(await one.query(QUERY))).toEqual(['RATE_LIMITED']);
  });

  test('Redis that answers nothing holds nothing up, and counts again when it does', async () => {
    const [one, other] = await pair({ operations: { Frozen: 1 / 60, Thawed: 1 / 60 } });
    server.pause();
    for (const router of [one, other]) {
      expect((await router.query(`query Frozen ${QUERY}`)).errors).toEqual([]);
      expect(codesOf(await router.query(`query Frozen ${QUERY}`))).toEqual(['RATE_LIMITED']);
    }
    const areReady = () => connections.slice(-2).map(({ buckets }) => buckets.ready());
    // Each has reported, and given its connection up.
    await until(() => !areReady().includes(true));
    expect((await one.query(QUERY)).errors).toEqual([]);
    server.resume();
    await until(() => !areReady().includes(false));
    for (const router of [one, other]) expect((await router.query(`query Thawed ${QUERY}`)).errors).toEqual([]);
    await until(async () => (await counted('Thawed')) === 2);
  });
});
