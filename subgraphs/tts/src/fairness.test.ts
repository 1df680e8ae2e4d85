import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { begin } from './testing/begin.ts';
import { gate, startDirectedEngine, type DirectedEngine } from './testing/directed-engine.ts';
import { allEvents, read } from './testing/operations.ts';
import { startTestTts, type TestTts } from './testing/test-tts.ts';

let tts: TestTts;
let director: DirectedEngine;
beforeAll(async () => {
  tts = await startTestTts();
  director = await startDirectedEngine();
  await tts.work(director);
});
afterEach(() => {
  director.before = () => undefined;
});
afterAll(async () => {
  await tts.close();
  await director.end();
});

describe('fairness', () => {
  test('whoever comes late hears something before a long text is through, on one engine', async () => {
    const long = tts.person();
    const late = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const big = await begin(tts, long, 16, 'a long story');
    await expect.poll(async () => (await read(long, big.id))?.state).toBe('RUNNING');
    const small = await begin(tts, late, 3, 'a short story');
    await expect.poll(async () => (await read(late, small.id))?.state).toBe('RUNNING');
    const before = director.spoken.length;
    door.open();
    await Promise.all([allEvents(long, big.id), allEvents(late, small.id)]);
    const spoken = director.spoken.slice(before).map((text) => (text.includes('a short story') ? 'late' : 'long'));
    // Two of the long one's chunks were at the engine's door already.
    expect(spoken.slice(0, 3)).toContain('late');
    expect(spoken.lastIndexOf('late')).toBeLessThan(8);
  });

  test('no more of a tenant’s generations run at once than the plan allows', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.push((await begin(tts, person, 1, `number ${String(i)} in line`)).id);
    const running = async () =>
      (await Promise.all(ids.map((id) => read(person, id)))).filter((generation) => generation?.state === 'RUNNING')
        .length;
    await expect.poll(running).toBe(2);
    // Somebody else's is taken while theirs wait, so that it is the plan that holds them back.
    const other = tts.person();
    const { id } = await begin(tts, other, 1, 'somebody else');
    await expect.poll(async () => (await read(other, id))?.state).toBe('RUNNING');
    expect(await running()).toBe(2);
    door.open();
    await Promise.all(ids.map((each) => allEvents(person, each)));
    expect(await running()).toBe(0);
  });
});
