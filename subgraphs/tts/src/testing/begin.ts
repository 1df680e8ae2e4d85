import { expect } from 'vitest';
import { balance } from './ledger.ts';
import { order, read } from './operations.ts';
import type { Person, TestTts } from './test-tts.ts';
import { sentences } from './texts.ts';

/** Orders a text and gives its price and the length of each of its chunks besides. */
export async function begin(tts: TestTts, person: Person, count: number, about: string) {
  const text = sentences(count, about);
  const voiceId = await tts.voice(person.id);
  const id = await order(person, { voiceId, text });
  const lengths = (await read(person, id))?.chunks.map(({ charStart, charEnd }) => charEnd - charStart) ?? [];
  return { id, voiceId, text, lengths, price: Math.ceil(text.length / 2) };
}

/** What an account shows once nothing is under way. */
export async function expectSettled(tts: TestTts, person: Person, used: number) {
  expect(await balance(tts, person.id)).toMatchObject({ used, committed: used, held: 0, openHolds: 0 });
}
