import { describe, expect, test } from 'vitest';

import { splitText } from './split-text.ts';
import type { TextChunk } from './split-text.ts';

const pieces = (text: string, chunks: TextChunk[]): string[] => chunks.map(({ start, end }) => text.slice(start, end));

function expectCovering(text: string, chunks: TextChunk[], maxChars: number): void {
  let at = 0;
  for (const { start, end } of chunks) {
    expect(start).toBe(at);
    expect(end).toBeGreaterThan(start);
    expect(end - start).toBeLessThanOrEqual(maxChars);
    at = end;
  }
  expect(at).toBe(text.length);
}

function expectWholeGraphemes(text: string, chunks: TextChunk[]): void {
  const starts = new Set(Array.from(new Intl.Segmenter().segment(text), ({ index }) => index));
  for (const { start } of chunks) expect(starts.has(start)).toBe(true);
}

test('whole sentences, as many as fit, and the first chunk shorter', () => {
  const text = 'One is here. Two is there. Three is nowhere to be seen. Four ends it.';
  expect(pieces(text, splitText(text, { maxChars: 40 }))).toEqual([
    'One is here. Two is there. ',
    'Three is nowhere to be seen. ',
    'Four ends it.',
  ]);
  expect(pieces(text, splitText(text, { maxChars: 40, firstMaxChars: 15 }))[0]).toBe('One is here. ');
});

test('a sentence too long is cut after a clause, else between words', () => {
  const text =
    'When the morning came, and with it the first light over the hills, nobody in the whole wide valley was still asleep anywhere';
  const chunks = splitText(text, { maxChars: 70 });
  expect(pieces(text, chunks)[0]).toBe('When the morning came, and with it the first light over the hills, ');
  expect(chunks.map(({ boundary }) => boundary)).toEqual(['clause', 'paragraph']);
  const plain = 'several words without any mark between them that go on and on for long';
  expect(pieces(plain, splitText(plain, { maxChars: 30 }))).toEqual([
    'several words without any ',
    'mark between them that go on ',
    'and on for long',
  ]);
});

test('abbreviations and initials do not end a sentence', () => {
  const text = 'Dr. Smith met Mr. J. R. Jones at St. Mary’s, e.g. on Monday. They spoke.';
  expect(pieces(text, splitText(text, { maxChars: 68 }))).toEqual([
    'Dr. Smith met Mr. J. R. Jones at St. Mary’s, e.g. on Monday. ',
    'They spoke.',
  ]);
  expect(splitText('3.14 is pi, and 2.72 is not. End.', { maxChars: 30 })[0]?.end).toBe(29);
});

test('a paragraph’s end is known as one', () => {
  const text = 'The first paragraph stands here.\n\nThe second one follows it.';
  expect(splitText(text, { maxChars: 40 }).map(({ boundary }) => boundary)).toEqual(['paragraph', 'paragraph']);
});

test('Chinese and Japanese are cut after their own marks', () => {
  const text = '今天天气很好，我们去公园散步。明天可能会下雨，所以要带伞。後天再説。';
  const chunks = splitText(text, { maxChars: 20 });
  expectCovering(text, chunks, 20);
  expect(pieces(text, chunks)[0]).toBe('今天天气很好，我们去公园散步。');
});

test('the empty text has no chunks', () => {
  expect(splitText('')).toEqual([]);
});

describe('covers every text, without gap, overlap or broken grapheme', () => {
  const texts: Record<string, string> = {
    'no boundary': 'x'.repeat(5_000),
    'only white space': ' \n\t'.repeat(1_000),
    emoji: '👨‍👩‍👧‍👦'.repeat(500),
    flags: '🇩🇪🇫🇷'.repeat(400),
    'right to left': 'שלום עולם, מה שלומך היום? אני בסדר גמור. '.repeat(40),
    combining: 'e\u0301a\u0308o\u0302 '.repeat(700),
    devanagari: 'नमस्ते दुनिया। यह एक परीक्षण है। '.repeat(60),
    control: 'a\u0000b\u0007c\u001b[31m '.repeat(300),
    crlf: 'line one\r\nline two\r\n'.repeat(100),
    thai: 'สวัสดีชาวโลกนี่คือการทดสอบ'.repeat(60),
  };
  test.each(Object.keys(texts))('%s', (name) => {
    const text = texts[name] ?? '';
    for (const maxChars of [12, 37, 250]) {
      const chunks = splitText(text, { maxChars });
      expectCovering(text, chunks, maxChars);
      expectWholeGraphemes(text, chunks);
    }
  });

  test('surrogate pairs survive even a grapheme that is longer than a chunk', () => {
    const text = `a${'\u0301'.repeat(50)}${'😀\u0301'.repeat(3)}${'\u{1F3FB}'.repeat(40)}`;
    const chunks = splitText(text, { maxChars: 7 });
    expectCovering(text, chunks, 7);
    for (const { start } of chunks)
      expect(
        text.charCodeAt(start) >= 0xdc00 &&
          text.charCodeAt(start) <= 0xdfff &&
          text.charCodeAt(start - 1) >= 0xd800 &&
          text.charCodeAt(start - 1) < 0xdc00,
      ).toBe(false);
  });
});

test('ten megabytes take time in proportion to their length', () => {
  const seconds = (length: number, unit: string): number => {
    const text = unit.repeat(Math.ceil(length / unit.length));
    const begun = process.cpuUsage().user;
    expect(splitText(text).at(-1)?.end).toBe(text.length);
    return (process.cpuUsage().user - begun) / 1e6;
  };
  for (const unit of ['The quick brown fox jumps over the lazy dog, and then it sleeps. ', 'x']) {
    seconds(2e5, unit);
    const small = seconds(1e6, unit);
    // Ten times the text: quadratic would be a hundred times the time.
    expect(seconds(1e7, unit)).toBeLessThan(Math.max(small, 0.05) * 30);
  }
});
