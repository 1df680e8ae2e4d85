import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createJobs, type EnqueueOptions, type Jobs } from '../jobs.ts';
import { silentLog } from '../log.ts';
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts';

let database: TestDatabase;
const running: Jobs[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((jobs) => jobs.stop({ graceMs: 1000 })));
  await database.pool.query('delete from jobs.job');
});
afterAll(() => database.drop());

async function started(worker = true): Promise<Jobs> {
  const jobs = createJobs({ url: database.url, log: silentLog, worker });
  running.push(jobs);
  await jobs.start();
  return jobs;
}

const fit = (jobs: Jobs, voiceId: string, options?: EnqueueOptions) =>
  database.db.transaction((tx) => jobs.enqueue(tx, 'voices.fit', { voiceId }, options));

/** Collects what a worker is given; `until(n)` resolves with the first n. */
function collector<T>() {
  const items: T[] = [];
  let wake = () => {};
  return {
    items,
    add(item: T) {
      items.push(item);
      wake();
    },
    async until(count: number): Promise<T[]> {
      while (items.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return items.slice(0, count);
    },
  };
}

describe('jobs', () => {
  test('exist if and only if the transaction commits, and are picked up at once', async () => {
    const jobs = await started();
    const seen = collector<string>();
    await jobs.work('voices.fit', { concurrency: 2 }, async ({ data }) => seen.add(data.voiceId));
    const refused = database.db.transaction(async (tx) => {
      await jobs.enqueue(tx, 'voices.fit', { voiceId: 'rolled back' });
      throw new Error('no');
    });
    await expect(refused).rejects.toThrow('no');
    await fit(jobs, 'warm');
    await seen.until(1);
    const begun = performance.now();
    for (let index = 1; index <= 10; index++) {
      await fit(jobs, `voi_${index}`);
      await seen.until(1 + index);
    }
    // Who only looks, once a second, needs ten.
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(seen.items).toEqual(['warm', ...Array.from({ length: 10 }, (_, index) => `voi_${index + 1}`)]);
  });

  test('a payload of another shape is refused where it is enqueued', async () => {
    const jobs = await started(false);
    // @ts-expect-error the type says so too
    await expect(database.db.transaction((tx) => jobs.enqueue(tx, 'voices.fit', { voice: 1 }))).rejects.toThrow(
      'voiceId',
    );
  });

  test('of one group no more run at once than its tier allows, others pass', async () => {
    const [jobs, others] = [await started(), await started()]; // as two processes would
    const active = new Map<string, number>();
    const most = new Map<string, number>();
    const done = collector<string>();
    for (const each of [jobs, others]) {
      await each.work(
        'voices.fit',
        { concurrency: 6, groupConcurrency: { default: 1, tiers: { BASIC: 2 } } },
        async ({ data: { voiceId } }) => {
          const group = voiceId.split('.')[0] ?? '';
          active.set(group, (active.get(group) ?? 0) + 1);
          most.set(group, Math.max(most.get(group) ?? 0, active.get(group) ?? 0));
          await new Promise((resolve) => setTimeout(resolve, 150));
          active.set(group, (active.get(group) ?? 0) - 1);
          done.add(voiceId);
        },
      );
    }
    // In one transaction, so that one notification wakes all the pollers at the same moment.
    await database.db.transaction(async (tx) => {
      for (let index = 0; index < 10; index++) {
        const [group, tier] = index % 2 === 0 ? (['free', 'FREE'] as const) : (['basic', 'BASIC'] as const);
        await jobs.enqueue(tx, 'voices.fit', { voiceId: `${group}.${index}` }, { group: { id: group, tier } });
      }
    });
    await done.until(10);
    expect(Object.fromEntries(most)).toEqual({ free: 1, basic: 2 });
  });

  test('what fails too often goes to the dead-letter queue', async () => {
    const jobs = await started();
    const dead = collector<string>();
    const attempts = collector<number>();
    await jobs.work('voices.fit.dead', {}, async ({ data }) => dead.add(data.voiceId));
    await jobs.work('voices.fit', {}, async ({ attempt }) => {
      attempts.add(attempt);
      throw new Error('never works');
    });
    await database.pool.query(`update jobs.queue set retry_limit = 1 where name = 'voices.fit'`);
    await fit(jobs, 'voi_bad');
    expect(await dead.until(1)).toEqual(['voi_bad']);
    expect(attempts.items).toEqual([0, 1]);
    await database.pool.query(`update jobs.queue set retry_limit = 5 where name = 'voices.fit'`);
  });

  test('what is due only later, of which nobody is notified, is done by as many at once as may', async () => {
    const jobs = await started();
    const begunJobs = collector<string>();
    const done = Promise.withResolvers<void>();
    await jobs.work('voices.fit', { concurrency: 3 }, async ({ data }) => {
      begunJobs.add(data.voiceId);
      await done.promise;
    });
    for (const voiceId of ['a', 'b', 'c']) await fit(jobs, voiceId, { startAfterSeconds: 1 });
    const begun = performance.now();
    expect((await begunJobs.until(3)).toSorted()).toEqual(['a', 'b', 'c']);
    expect(performance.now() - begun).toBeLessThan(10_000);
    done.resolve();
  });

  test('stopping aborts what does not end in time and gives it back', async () => {
    const first = createJobs({ url: database.url, log: silentLog });
    await first.start();
    const taken = collector<AbortSignal>();
    await first.work('voices.fit', {}, async ({ signal }) => {
      taken.add(signal);
      await once(signal, 'abort');
    });
    await fit(first, 'voi_slow');
    const [signal] = await taken.until(1);
    await first.stop({ graceMs: 200 });
    expect(signal?.aborted).toBe(true);
    const second = await started();
    const again = collector<string>();
    await second.work('voices.fit', {}, async ({ data }) => again.add(data.voiceId));
    expect(await again.until(1)).toEqual(['voi_slow']);
  });

  test('the job of a worker killed with SIGKILL runs again within 15 s', async () => {
    const jobs = await started();
    const script = fileURLToPath(new URL('stuck-worker.fixture.ts', import.meta.url));
    const child = spawn(process.execPath, [script, database.url], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [id] = await Promise.all([
      once(child.stdout, 'data').then(([text]) => String(text).trim()),
      fit(jobs, 'voi_k'),
    ]);
    const again = collector<{ id: string; attempt: number }>();
    await jobs.work('voices.fit', {}, async ({ id: taken, attempt }) => again.add({ id: taken, attempt }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const killed = performance.now();
    expect(await again.until(1)).toEqual([{ id, attempt: 1 }]);
    const seconds = (performance.now() - killed) / 1000;
    expect(seconds).toBeLessThan(15);
  });
});
