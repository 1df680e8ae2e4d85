import { expect, test } from 'vitest';

import { alignCharacters } from './characters.ts';

test('spreads each word over its graphemes and covers the text', () => {
  const text = 'Hi, 👨‍👩‍👧 you!';
  const words = [
    { charStart: 0, charEnd: 2, startSample: 100, endSample: 200 },
    { charStart: 13, charEnd: 16, startSample: 500, endSample: 800 },
  ];
  const aligned = alignCharacters(text, words, { endSample: 1_000 });
  expect(aligned.map(({ charStart, charEnd }) => text.slice(charStart, charEnd))).toEqual([
    'H',
    'i',
    ',',
    ' ',
    '👨‍👩‍👧',
    ' ',
    'y',
    'o',
    'u',
    '!',
  ]);
  expect(aligned[0]).toEqual({ charStart: 0, charEnd: 1, startSample: 100, endSample: 150 });
  expect(aligned.slice(2, 6).map(({ startSample }) => startSample)).toEqual([200, 275, 350, 425]);
  expect(aligned.at(-1)).toEqual({ charStart: 16, charEnd: 17, startSample: 800, endSample: 1_000 });
});

test('times never fall, whatever the words say', () => {
  const text = 'one two three';
  const words = [
    { charStart: 0, charEnd: 3, startSample: 0, endSample: 400 },
    { charStart: 4, charEnd: 7, startSample: 300, endSample: 350 },
    { charStart: 4, charEnd: 7, startSample: 350, endSample: 360 },
    { charStart: 8, charEnd: 99, startSample: 500, endSample: 600 },
  ];
  const aligned = alignCharacters(text, words, { endSample: 550 });
  let time = 0;
  let char = 0;
  for (const token of aligned) {
    expect(token.charStart).toBe(char);
    expect(token.startSample).toBeGreaterThanOrEqual(time);
    expect(token.endSample).toBeGreaterThanOrEqual(token.startSample);
    char = token.charEnd;
    time = token.endSample;
  }
  expect(char).toBe(text.length);
});

test('a chunk of a longer text', () => {
  const text = 'First. Second.';
  const aligned = alignCharacters(text, [{ charStart: 7, charEnd: 13, startSample: 60, endSample: 120 }], {
    from: 7,
    startSample: 50,
    endSample: 130,
  });
  expect(aligned[0]).toEqual({ charStart: 7, charEnd: 8, startSample: 60, endSample: 70 });
  expect(aligned.at(-1)).toMatchObject({ charStart: 13, charEnd: 14, endSample: 130 });
  expect(alignCharacters('', [], { endSample: 10 })).toEqual([]);
});
