import { setImmediate as tick } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createChunkScheduler, type Lane } from './scheduler.ts';

/** Tasks that note their names when they begin and end when they are told. */
function recorder() {
  const begun: string[] = [];
  const refused: string[] = [];
  const running: (() => void)[] = [];
  return {
    begun,
    refused,
    /** Settles when all of them have; nobody has to wait for it. */
    add: (lane: Lane, ...names: string[]): void => {
      for (const name of names) {
        const task = () => {
          begun.push(name);
          return new Promise<void>((resolve) => running.push(resolve));
        };
        lane.run(task).catch((error: unknown) => refused.push(`${name}: ${String(error)}`));
      }
    },
    finishAll: async (): Promise<void> => {
      for (let resolve = running.shift(); resolve; resolve = running.shift()) {
        resolve();
        await tick();
      }
    },
  };
}

describe('the chunk scheduler', () => {
  test('first chunks go before the later ones of those who came earlier', async () => {
    const scheduler = createChunkScheduler({ slots: 1, slotsPerLane: 1 });
    const { begun, add, finishAll } = recorder();
    const a = scheduler.open({ tenant: 'a', unheard: true });
    add(a, 'a0', 'a1', 'a2');
    const b = scheduler.open({ tenant: 'b', unheard: true });
    add(b, 'b0', 'b1');
    const c = scheduler.open({ tenant: 'c', unheard: true });
    add(c, 'c0');
    await finishAll();
    expect(begun).toEqual(['a0', 'b0', 'c0', 'a1', 'b1', 'a2']);
  });

  test('also before those of another tenant whose turn it would be', async () => {
    const scheduler = createChunkScheduler({ slots: 1, slotsPerLane: 1 });
    const { begun, add, finishAll } = recorder();
    add(scheduler.open({ tenant: 'a', unheard: true }), 'a0');
    add(scheduler.open({ tenant: 'b', unheard: false }), 'b7');
    add(scheduler.open({ tenant: 'a', unheard: true }), 'new');
    await finishAll();
    expect(begun).toEqual(['a0', 'new', 'b7']);
  });

  test('tenants take turns, however many generations one has', async () => {
    const scheduler = createChunkScheduler({ slots: 1, slotsPerLane: 1 });
    const { begun, add, finishAll } = recorder();
    add(scheduler.open({ tenant: 'x', unheard: false }), 'blocker');
    for (const name of ['a', 'b', 'c']) add(scheduler.open({ tenant: 'big', unheard: false }), `${name}1`, `${name}2`);
    add(scheduler.open({ tenant: 'small', unheard: false }), 's1', 's2');
    await finishAll();
    expect(begun.slice(1, 5).filter((name) => name.startsWith('s'))).toHaveLength(2);
    expect(begun).toHaveLength(9);
  });

  test('keeps to the slots, in all and of one lane', async () => {
    const scheduler = createChunkScheduler({ slots: 3, slotsPerLane: 2 });
    const { begun, add, finishAll } = recorder();
    add(scheduler.open({ tenant: 'a', unheard: true }), 'a0', 'a1', 'a2');
    expect(begun).toEqual(['a0', 'a1']);
    add(scheduler.open({ tenant: 'b', unheard: true }), 'b0', 'b1');
    expect(begun).toEqual(['a0', 'a1', 'b0']);
    await finishAll();
    expect(begun).toHaveLength(5);
  });

  test('a closed lane refuses what has not begun and gives its turn away', async () => {
    const scheduler = createChunkScheduler({ slots: 1, slotsPerLane: 1 });
    const { begun, refused, add, finishAll } = recorder();
    const a = scheduler.open({ tenant: 'a', unheard: true });
    add(a, 'a0', 'a1');
    add(scheduler.open({ tenant: 'b', unheard: false }), 'b0');
    a.close(new Error('over'));
    await expect(a.run(() => Promise.resolve())).rejects.toThrow('over');
    await finishAll();
    expect(begun).toEqual(['a0', 'b0']);
    expect(refused).toEqual(['a1: Error: over']);
  });

  test('a task that fails frees its slot', async () => {
    const scheduler = createChunkScheduler({ slots: 1, slotsPerLane: 1 });
    const lane = scheduler.open({ tenant: 'a', unheard: true });
    await expect(lane.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(lane.run(() => Promise.resolve(7))).resolves.toBe(7);
  });
});
