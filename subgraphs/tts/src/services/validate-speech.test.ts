import type { SpeechModel } from '@timbre/speech/engine';
import { describe, expect, test } from 'vitest';
import { checkIdempotencyKey, checkRequest, type SpeechRequest } from './validate-speech.ts';

const plan = { name: 'Free', maxCharacters: 50, formats: ['MP3_44100_128', 'WAV_44100'] };
const models: SpeechModel[] = [
  { id: 'local-1', name: 'Local', maxCharacters: 40, languages: ['en'], creditsPerCharacter: 0.5 },
];
const good: SpeechRequest = {
  text: 'Hello there.',
  modelId: 'local-1',
  format: 'MP3_44100_128',
  speed: 1,
  maxCredits: null,
};
const codes = (change: Partial<SpeechRequest>) =>
  checkRequest({ ...good, ...change }, plan, models).map(({ code }) => code);

describe('checkRequest', () => {
  test.each([
    ['plain', 'Hello there.'],
    ['emoji', 'Good morning 👩‍👩‍👧 🎉'],
    ['right to left', 'שלום עולם, مرحبا \u200f!'],
    ['tab and line ends', 'One\ttwo\nthree\r\nfour'],
    ['as long as the model takes', 'a'.repeat(40)],
  ])('takes %s', (_, text) => {
    expect(codes({ text })).toEqual([]);
  });

  test.each([
    ['nothing', '', ['TEXT_EMPTY']],
    ['white space', ' \n\t\u3000', ['TEXT_EMPTY']],
    ['one more than the model takes', 'a'.repeat(41), ['TEXT_TOO_LONG']],
    ['more than plan and model take', 'a'.repeat(51), ['TEXT_TOO_LONG', 'TEXT_TOO_LONG']],
    ['NUL', 'a\u0000b', ['TEXT_CONTROL_CHARACTER']],
    ['escape', 'a\u001b[31mb', ['TEXT_CONTROL_CHARACTER']],
    ['a C1 control', 'a\u0085b', ['TEXT_CONTROL_CHARACTER']],
    ['a lone carriage return', 'a\rb', ['TEXT_CONTROL_CHARACTER']],
    ['half a surrogate pair', 'a\ud83d b', ['TEXT_MALFORMED']],
  ])('refuses %s', (_, text, expected) => {
    expect(codes({ text })).toEqual(expected);
  });

  test('names the limit and what was sent', () => {
    const [error] = checkRequest({ ...good, text: 'a'.repeat(45) }, plan, models);
    expect(error).toMatchObject({ path: ['input', 'text'] });
    expect(error?.message).toContain('40');
    expect(error?.message).toContain('45');
  });

  test.each([0.49, 2.01, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the speed %d', (speed) => {
    expect(codes({ speed })).toEqual(['SPEED_OUT_OF_RANGE']);
  });

  test('takes the ends of the speed range', () => {
    expect(codes({ speed: 0.5 })).toEqual([]);
    expect(codes({ speed: 2 })).toEqual([]);
  });

  test('tells everything that is wrong at once', () => {
    expect(codes({ text: '', modelId: 'nope', format: 'ULAW_8000', speed: 9, maxCredits: -1 })).toEqual([
      'TEXT_EMPTY',
      'MODEL_NOT_FOUND',
      'SPEED_OUT_OF_RANGE',
      'FORMAT_NOT_IN_PLAN',
      'MAX_CREDITS_INVALID',
    ]);
  });
});

describe('checkIdempotencyKey', () => {
  test.each(['a', '018f3b5e-aaaa-7bbb-8ccc-dddddddddddd', 'x'.repeat(200)])('takes %s', (key) => {
    expect(checkIdempotencyKey(key, ['idempotencyKey'])).toEqual([]);
  });

  test.each(['', 'x'.repeat(201), 'with space', 'line\nend', 'ümlaut'])('refuses %j', (key) => {
    expect(checkIdempotencyKey(key, ['idempotencyKey'])).toMatchObject([
      { code: 'INVALID_IDEMPOTENCY_KEY', path: ['idempotencyKey'] },
    ]);
  });
});
