import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseConfiguration } from './parse-configuration.ts';
import { readConfiguration } from './read-configuration.ts';

const parse = (text: string, variables: Record<string, string> = {}) =>
  parseConfiguration(text, 'router.yaml', variables);

test("what Timbre's own graph is served with can be read", async () => {
  const file = fileURLToPath(new URL('../../router.yaml', import.meta.url));
  expect(await readConfiguration(file, {})).toMatchObject({ csrfPrevention: true, limits: { maxDepth: 20 } });
});

test('nothing says nothing', () => {
  expect(parse('')).toEqual({});
  expect(parse('# only a comment')).toEqual({});
});

test('everything that is wrong is told at once, with its place', () => {
  const text = 'limits:\n  maxDepth: deep\n  maxTokens: 0\ncsrf: true\n';
  expect(() => parse(text)).toThrow(
    /router\.yaml is not usable:[^]*2:13 limits\.maxDepth[^]*3:14 limits\.maxTokens[^]*4:\d+ csrf: is not known/,
  );
});

test.each([
  ['what is no YAML', 'limits: {', /1:10/],
  ['a key that stands twice', 'csrfPrevention: true\ncsrfPrevention: false\n', /unique/],
  [
    'aliases that blow up',
    ['a: &a [1, 1]', 'b: &b [*a, *a, *a, *a, *a]', 'c: &c [*b, *b, *b, *b, *b]', 'd: [*c, *c, *c, *c, *c]'].join('\n'),
    /alias/i,
  ],
  ['a list', '- 1', /expected object/],
])('%s is refused', (_name, text, message) => {
  expect(() => parse(text)).toThrow(message);
});

test('variables are numbers and truth values where they stand for them, and text in quotes', () => {
  const text =
    'limits:\n  maxDepth: ${env.DEPTH}\ncsrfPrevention: ${env.CSRF:-true}\ncors: { origins: ["${env.ORIGIN}"] }';
  expect(parse(text, { DEPTH: '7', ORIGIN: '8' })).toEqual({
    limits: { maxDepth: 7 },
    csrfPrevention: true,
    cors: { origins: ['8'] },
  });
});

test('a variable adds nothing to the structure, and one that is not set is named', () => {
  const injected = { ORIGIN: 'x]\ncsrfPrevention: false\n#' };
  expect(parse('cors: { origins: ["${env.ORIGIN}"] }', injected)).toEqual({ cors: { origins: [injected.ORIGIN] } });
  expect(parse('cors: { origins: [ "a${env.NONE:-b}c" ] }')).toEqual({ cors: { origins: ['abc'] } });
  expect(() => parse('limits:\n  maxDepth: ${env.DEPTH}')).toThrow(/2:13 the variable DEPTH is not set/);
});

test('files hold secrets', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'timbre-config-'));
  const file = join(directory, 'origin');
  await writeFile(file, 'https://a.test\n');
  expect(parse(`cors: { origins: ["\${file.${file}}"] }`)).toEqual({ cors: { origins: ['https://a.test'] } });
  await rm(directory, { recursive: true });
  expect(() => parse(`cors: { origins: ["\${file.${file}}"] }`)).toThrow(/cannot be read/);
});
