import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraphClient } from '@timbre/cli/client/graph-client';
import { EndSessionDocument, MeDocument, UpdateProfileDocument } from '@timbre/cli/generated/graphql';
import { redisMissing, startRedis, type RedisServer } from '@timbre/platform/testing/redis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { anotherRouter, type AnotherRouter } from '../testkit/another-router.ts';
import { followQuota, REVOKED, TOLD_WITHIN_MS } from '../testkit/follow-quota.ts';
import { ownSystem } from '../testkit/own-system.ts';
import { steadyLoad, type LoadRequest } from '../testkit/steady-load.ts';
import { makeSupport, signIn } from '../testkit/users.ts';

if (redisMissing !== null) process.stderr.write(`Two routers and one Redis are not tested: ${redisMissing}.\n`);

/** Of who comes without a token, by address; it comes back so slowly that a test does not see it. */
const BUDGET = 200;
const CONFIGURATION = `
responseCache: {}
rates: { perPrincipal: 1000, perAddress: 1000 }
demand:
  mode: enforce
  budget:
    default: { limit: 100000, restoreRate: 1000 }
    anonymous: { limit: ${BUDGET}, restoreRate: 0.01 }
  tell: true
`;
const answerSchema = z.object({
  errors: z.array(z.object({ extensions: z.object({ code: z.string() }) })).optional(),
  extensions: z.object({ cost: z.object({ actual: z.number().optional() }) }).optional(),
});
/** While each fault lasts, and after it. */
const ANSWERS = 60;

describe.skipIf(redisMissing !== null)('two routers and one Redis', () => {
  let redis: RedisServer;
  let system: Awaited<ReturnType<typeof ownSystem>>;
  let second: AnotherRouter;
  let directory: string;
  const lines: string[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    directory = await mkdtemp(join(tmpdir(), 'timbre-redis-'));
    const ROUTER_CONFIG = join(directory, 'router.yaml');
    await writeFile(ROUTER_CONFIG, CONFIGURATION);
    const env = { REDIS_URL: redis.url, ROUTER_CONFIG, IDENTITY_SECRET: randomUUID() };
    system = await ownSystem(env);
    second = await anotherRouter(system, { ...env, PATH: process.env['PATH'] ?? '' }, (line) => lines.push(line));
  });
  afterAll(async () => {
    await second.stop();
    await system.stop();
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const said = () => `${system.said()}\n${lines.join('\n')}`;
  const someone = () => signIn(system, { email: `${randomUUID()}@example.com` });
  const clientOf = (url: string, token: string) => {
    const client = new GraphClient(`${url}/graphql`, token);
    onTestFinished(() => client.close());
    return client;
  };

  /** Reads that are kept, reads that are not, and writes, of several people. */
  async function usualRequests(): Promise<(index: number) => LoadRequest> {
    const tokens = await Promise.all(Array.from({ length: 8 }, async () => (await someone()).token));
    const requests = [
      { query: '{ me { id displayName quota { available } plan { tier } } }' },
      { query: '{ voiceLibrary(first: 5) { edges { node { id name } } } plans { tier } }' },
      {
        query: 'mutation { updateProfile(input: { displayName: "Ada" }) { user { id displayName } errors { code } } }',
      },
    ];
    return (index) => ({
      query: requests[index % requests.length]?.query ?? '',
      token: tokens[Math.floor(index / requests.length) % tokens.length] ?? '',
    });
  }

  test('no request fails while Redis hangs, is gone, and is back', async () => {
    const load = steadyLoad([system.url, second.url], await usualRequests());
    await load.answered(ANSWERS);
    redis.pause();
    await load.answered(ANSWERS);
    redis.resume();
    await load.answered(ANSWERS);
    await redis.kill();
    await load.answered(ANSWERS);
    await redis.start();
    await load.answered(ANSWERS);
    await load.stop();
    expect(load.failures, said()).toEqual([]);
  });

  test('no request fails while one of the two routers is restarted', async () => {
    const load = steadyLoad([system.url, second.url], await usualRequests());
    await load.answered(ANSWERS);
    await second.restart();
    await load.answered(ANSWERS);
    await load.stop();
    expect(load.failures, said()).toEqual([]);
  });

  test('what was written through one router is read through the other', async () => {
    const { token } = await someone();
    const [here, there] = [clientOf(system.url, token), clientOf(second.url, token)];
    for (let index = 0; index < 20; index++) {
      const displayName = `Name ${index}`;
      const [writer, reader] = index % 2 === 0 ? [here, there] : [there, here];
      await writer.execute(MeDocument, {});
      await reader.execute(MeDocument, {});
      await writer.execute(UpdateProfileDocument, { input: { displayName } });
      expect((await reader.execute(MeDocument, {})).me?.displayName).toBe(displayName);
    }
  });

  test('a session that is ended at one router is ended at the other, its streams too', async () => {
    const { token } = await someone();
    const [here, there] = [clientOf(system.url, token), clientOf(second.url, token)];
    const { ended } = await followQuota(there);
    const before = performance.now();
    await here.execute(EndSessionDocument, { everywhere: false });
    const { error, at } = await ended;
    expect(error).toMatchObject(REVOKED);
    expect(at - before).toBeLessThan(TOLD_WITHIN_MS);
    const answer = await fetch(`${second.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ me { id } }' }),
    });
    expect(answer.status).toBe(401);
  });

  test('a role that is changed in the database ends streams at both', async () => {
    const { token } = await someone();
    const [here, there] = [clientOf(system.url, token), clientOf(second.url, token)];
    const streams = [await followQuota(here), await followQuota(there)];
    const { me } = await here.execute(MeDocument, {});
    const before = performance.now();
    await makeSupport(system, me?.id ?? '');
    for (const { ended } of streams) {
      const { error, at } = await ended;
      expect(error).toMatchObject(REVOKED);
      expect(at - before).toBeLessThan(TOLD_WITHIN_MS);
    }
  });

  test('what strangers of one address spend at one router, they cannot spend again at the other', async () => {
    async function ask(url: string): Promise<{ isThrottled: boolean; cost: number }> {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ plans { tier } }' }),
      });
      const { errors, extensions } = answerSchema.parse(await response.json());
      const isThrottled = errors?.[0]?.extensions.code === 'THROTTLED';
      return { isThrottled, cost: isThrottled ? 0 : (extensions?.cost.actual ?? Number.NaN) };
    }
    let here = 0;
    for (let answer = await ask(system.url); !answer.isThrottled; answer = await ask(system.url)) here += answer.cost;
    expect(here, said()).toBeGreaterThan(BUDGET * 0.6);
    let there = 0;
    // A router that Redis answers too late counts for itself for a second; who asks slowly gets little from it meanwhile.
    await expect
      .poll(
        async () => {
          const { isThrottled, cost } = await ask(second.url);
          there += cost;
          return isThrottled;
        },
        { interval: 200 },
      )
      .toBe(true);
    expect(there, said()).toBeLessThan(BUDGET / 2);
  });
});
