import { newId } from '@timbre/platform/ids';
import { channels } from '@timbre/platform/bus/hints';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDirectedEngine, gate, type DirectedEngine } from './testing/directed-engine.ts';
import { allEvents, events, order, type TestEvent } from './testing/operations.ts';
import { startTestTts, type TestTts } from './testing/test-tts.ts';
import { sentences } from './testing/texts.ts';

let tts: TestTts;
let director: DirectedEngine;
beforeAll(async () => {
  tts = await startTestTts();
  director = await startDirectedEngine();
  await tts.work(director);
});
afterAll(async () => {
  await tts.close();
  await director.end();
});

const numbers = (all: readonly TestEvent[]) => all.map(({ sequence }) => sequence);
const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('generationEvents', () => {
  test('gives whoever comes back exactly what came after the event they name', async () => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(person.id), text: sentences(3) });
    const all = await allEvents(person, id);
    for (let after = 0; after <= all.length; after += 1) {
      const rest = await allEvents(person, id, after);
      expect(numbers(rest)).toEqual(upTo(after + 1, all.length));
    }
  });

  test('joins the past and what happens now without a seam, however often one comes back', async () => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(person.id), text: sentences(12, 'a seam') });
    const seen: TestEvent[] = [];
    for (let over = false; !over;) {
      let taken = 0;
      for await (const event of events(person, id, seen.at(-1)?.sequence ?? 0)) {
        seen.push(event);
        taken += 1;
        over = event.__typename === 'GenerationFinished';
        if (taken === 3) break;
      }
    }
    expect(numbers(seen)).toEqual(upTo(1, seen.length));
    expect(seen.filter(({ __typename }) => __typename === 'GenerationChunkReady')).toHaveLength(12);
  });

  test('hints at every change, so that nobody has to wait for the next look', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const id = await order(person, { voiceId: await tts.voice(person.id), text: sentences(3, 'a hint') });
    let hinted = 0;
    const unsubscribe = await tts.bus.subscribe(channels.generation(id), () => {
      hinted += 1;
    });
    door.open();
    director.before = () => undefined;
    await allEvents(person, id);
    // Three chunks and the end.
    await expect.poll(() => hinted).toBeGreaterThanOrEqual(4);
    await unsubscribe();
  });

  test('tells many subscribers the same', async () => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(person.id), text: sentences(4, 'a crowd') });
    const all = await Promise.all(Array.from({ length: 5 }, () => allEvents(person, id)));
    for (const one of all) expect(numbers(one)).toEqual(numbers(all[0] ?? []));
  });

  test('announces chunks in the text’s order though they are done in another', async () => {
    const person = tts.person();
    const door = gate();
    director.before = ({ text }) => (text.includes('number 0') ? door.opened : undefined);
    const id = await order(person, { voiceId: await tts.voice(person.id), text: sentences(3, 'a detour') });
    const seen: TestEvent[] = [];
    for await (const event of events(person, id)) {
      seen.push(event);
      if (event.__typename === 'GenerationProgressed' && event.progress.chunksDone === 1) door.open();
    }
    director.before = () => undefined;
    expect(numbers(seen)).toEqual(upTo(1, seen.length));
    expect(seen.flatMap((event) => (event.__typename === 'GenerationChunkReady' ? [event.chunk.index] : []))).toEqual([
      0, 1, 2,
    ]);
    const early = seen.find((event) => event.__typename === 'GenerationProgressed' && event.progress.chunksDone === 1);
    const first = seen.find(({ __typename }) => __typename === 'GenerationChunkReady');
    expect(early?.sequence).toBeLessThan(first?.sequence ?? 0);
  });

  test.each([
    ['a negative sequence', -1],
    ['a sequence that is not there yet', 1000],
  ])('refuses %s', async (_, afterSequence) => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(person.id), text: 'Out of bounds.' });
    await expect(allEvents(person, id, afterSequence)).rejects.toThrow('BAD_USER_INPUT');
  });

  test('refuses a stranger as it refuses what is not there', async () => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(person.id), text: 'Not yours.' });
    for (const which of [id, newId('gen'), 'nonsense']) {
      await expect(allEvents(tts.person(), which)).rejects.toThrow('NOT_FOUND');
    }
  });
});
