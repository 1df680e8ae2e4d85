import { afterEach, expect, test } from 'vitest';
import { compose } from '../testing/compose.ts';
import { createPlannerThreads } from './planner-threads.ts';
import type { PlannerThread } from './planner-thread.ts';

const supergraph = (field: string) => compose({ a: `type Query { ${field}: String }` });

let threads: PlannerThread;
afterEach(() => threads.close());

test('what loads in a moment shares a thread', async () => {
  threads = createPlannerThreads({ heavyLoadMs: Number.POSITIVE_INFINITY });
  const one = await threads.load(supergraph('one'));
  const order: string[] = [];
  const loading = threads.load(supergraph('two')).then(() => order.push('loaded'));
  await one.plan('{ one }').then(() => order.push('planned'));
  await loading;
  expect(order).toEqual(['loaded', 'planned']);
});

test('what takes its time keeps nobody from planning on the one before, and takes its thread along', async () => {
  threads = createPlannerThreads({ heavyLoadMs: 0 });
  const one = await threads.load(supergraph('one'));
  const order: string[] = [];
  const loading = threads.load(supergraph('two')).then((loaded) => {
    order.push('loaded');
    return loaded;
  });
  await one.plan('{ one }').then(() => order.push('planned'));
  const two = await loading;
  expect(order).toEqual(['planned', 'loaded']);
  expect(await threads.loaded()).toEqual([one.id, two.id]);

  const again = await threads.load(supergraph('one'));
  one.unload();
  one.unload();
  expect(await threads.loaded()).toEqual([one.id, two.id]);
  again.unload();
  expect(await threads.loaded()).toEqual([two.id]);
  await expect(one.plan('{ one }')).rejects.toThrow('unloaded');
  expect(await two.plan('{ two }')).toContain('Fetch');
});

test('a text that is no supergraph leaves nothing behind', async () => {
  threads = createPlannerThreads({ heavyLoadMs: 0 });
  await expect(threads.load('type Query { a: Int }')).rejects.toThrow('core schema');
  expect(await threads.loaded()).toEqual([]);
});
