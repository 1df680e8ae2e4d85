import { withinSpan } from '@timbre/platform/telemetry/current-span';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import { startTestTracing, type TestTracing } from '@timbre/platform/testing/test-tracing';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createJobs } from './jobs.ts';
import { silentLog } from './log.ts';
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts';

let tests: TestTracing;
let tracing: Tracing;
let database: TestDatabase;

beforeAll(async () => {
  tests = await startTestTracing();
  tracing = await tests.tracingOf('db');
  database = await createTestDatabase({ traced: true, max: 1 });
});
afterAll(async () => {
  await database.drop();
  await tests.close();
});

const within = <T>(name: string, run: () => Promise<T>) => withinSpan(tracing.serve(name, 'server', {}), run);

async function below(name: string) {
  await tests.collector.until(name);
  const parent = tests.collector.spans.find((span) => span.name === name);
  return tests.collector.spans.filter(({ parentSpanId }) => parentSpanId === parent?.spanId);
}

test('queries are spans of what they are made for, in transactions and outside, without their parameters', async () => {
  await within('reads', () => database.db.execute(sql`select ${'hidden'}::text as a`));
  await within('writes', () =>
    database.db.transaction(async (tx) => {
      await tx.execute(sql`with a as (select 1) select * from a`);
    }),
  );
  expect(await below('reads')).toMatchObject([
    {
      name: 'SELECT',
      attributes: {
        'db.system.name': 'postgresql',
        'db.operation.name': 'SELECT',
        'db.query.text': 'select $1::text as a',
      },
    },
  ]);
  expect((await below('writes')).map(({ name }) => name)).toEqual(['BEGIN', 'WITH', 'COMMIT']);
  expect(tests.collector.text()).not.toContain('hidden');
});

test('a failure is told by its SQLSTATE, and rolled back', async () => {
  const failing = within('fails', () =>
    database.db.transaction((tx) => tx.execute(sql`select ${'secret text'}::uuid`)),
  );
  await expect(failing).rejects.toThrow('Failed query');
  const spans = await below('fails');
  expect(spans.map(({ name, failure }) => [name, failure])).toEqual([
    ['BEGIN', undefined],
    ['SELECT', '22P02'],
    ['ROLLBACK', undefined],
  ]);
  expect(tests.collector.text()).not.toContain('secret text');
});

test('requests that wait for one connection keep their queries apart; what nobody asked for is no span', async () => {
  const names = Array.from({ length: 20 }, (_, index) => `request ${index}`);
  await Promise.all(
    names.map((name, index) => within(name, () => database.db.execute(sql.raw(`select ${index} as of_${index}`)))),
  );
  for (const [index, name] of names.entries()) {
    expect((await below(name)).map(({ attributes }) => attributes['db.query.text'])).toEqual([
      `select ${index} as of_${index}`,
    ]);
  }
  await database.db.execute(sql`select 'of nobody'`);
  await within('last', async () => undefined);
  await tests.collector.until('last');
  expect(tests.collector.text()).not.toContain('of nobody');
});

test('a job goes on with the trace of what it was enqueued for, and one of nobody begins its own', async () => {
  const jobs = createJobs({ url: database.url, log: silentLog, tracing });
  await jobs.start();
  const enqueue = (voiceId: string) => database.db.transaction((tx) => jobs.enqueue(tx, 'voices.fit', { voiceId }));
  const seen: unknown[] = [];
  await jobs.work('voices.fit', {}, async ({ data }) => {
    seen.push(data);
    await database.db.execute(sql`select 'in the job'`);
  });
  await within('mutation', () => enqueue('v1'));
  await enqueue('v2');
  await expect.poll(() => seen).toEqual([{ voiceId: 'v1' }, { voiceId: 'v2' }]);
  await jobs.stop({ graceMs: 1_000 });
  const spansOfJobs = () => tests.collector.spans.filter(({ name }) => name === 'job voices.fit');
  await expect.poll(spansOfJobs).toHaveLength(2);

  const [first, second] = spansOfJobs();
  const [request] = tests.collector.spans.filter(({ name }) => name === 'mutation');
  expect(first).toMatchObject({ traceId: request?.traceId, parentSpanId: request?.spanId });
  expect(second?.parentSpanId).toBe(undefined);
  const inJob = tests.collector.spans.filter(({ attributes }) => attributes['db.query.text'] === "select 'in the job'");
  expect(inJob.map(({ parentSpanId }) => parentSpanId)).toEqual([first?.spanId, second?.spanId]);
});
