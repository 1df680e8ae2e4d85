import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBalancer } from './testing/balance.ts';
import type { Balancer } from './testing/balance.ts';
import { compose } from './testing/compose.ts';
import { startControlledSubgraph } from './testing/controlled-subgraph.ts';
import type { ControlledSubgraph } from './testing/controlled-subgraph.ts';
import { openSocket } from './testing/raw-socket.ts';
import { runProgram } from './testing/run-program.ts';
import { answerOf } from './testing/test-router.ts';
import { until } from './testing/until.ts';

let directory: string;
let subgraph: ControlledSubgraph;
let balancer: Balancer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'timbre-restart-'));
  subgraph = await startControlledSubgraph({ greeting: 'hello', greet: 'hello' });
  balancer = await startBalancer();
  const supergraph = compose({ one: 'type Query { greeting: String } type Mutation { greet: String }' });
  await writeFile(join(directory, 'supergraph.graphql'), supergraph);
  await writeFile(join(directory, 'router.yaml'), 'lameDuckMs: 1000\n');
});

afterAll(async () => {
  balancer.close();
  await subgraph.close();
  await rm(directory, { recursive: true });
});

const start = () =>
  runProgram(
    ['--supergraph', join(directory, 'supergraph.graphql'), '--config', join(directory, 'router.yaml'), '--port', '0'],
    { SUBGRAPH_URL_ONE: subgraph.url },
  );

test('of two routers under load one is stopped and another started, and no request fails', async () => {
  const [first, second] = await Promise.all([start(), start()]);
  balancer.use(first.url, second.url);
  let sent = 0;
  const wrong: string[] = [];
  const post = async (query: string) => {
    sent += 1;
    const body = JSON.stringify({ query });
    const headers = { 'content-type': 'application/json' };
    const answer = await answerOf(await fetch(balancer.url, { method: 'POST', headers, body }));
    if (answer.status !== 200 || answer.errors.length > 0) wrong.push(`${answer.status}: ${answer.text}`);
  };
  await until(async () => (await fetch(balancer.url, { headers: { accept: 'text/html' } })).status === 200);
  balancer.failures.length = 0;

  const enough = new AbortController();
  const load = async (query: string) => {
    while (!enough.signal.aborted) await post(query);
  };
  const loads = [...Array.from({ length: 6 }, () => load('{ greeting }')), load('mutation { greet }')];
  const socket = await openSocket(first.url.replace('http', 'ws'));
  socket.say({ type: 'connection_init' });
  await socket.hear('connection_ack');
  const third = await start();
  expect(await first.stop()).toBe(0);
  expect(await socket.closed).toMatchObject({ code: 1001 });
  balancer.use(third.url, second.url);
  await until(() => (balancer.answered.get(third.url) ?? 0) > 20);
  enough.abort();
  await Promise.all(loads);

  expect([wrong, balancer.failures]).toEqual([[], []]);
  expect([...balancer.answered.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(sent);
  for (const { url } of [first, second, third]) expect(balancer.answered.get(url), url).toBeGreaterThan(20);
  await Promise.all([second.stop(), third.stop()]);
}, 60_000);
