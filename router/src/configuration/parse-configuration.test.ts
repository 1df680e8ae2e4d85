import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
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

describe('authentication', () => {
  const issuers = (text: string) => parse(`authentication:\n  issuers:\n    - ${text}\n`);

  test('names issuers, and what differs with each', () => {
    const text =
      '{ issuer: "https://a.test/", audiences: [api], sources: [{ header: X-Token }, { header: Authorization, prefix: Bearer }, { cookie: __Host-session }], claims: { roles: "https://a.test/roles" } }';
    expect(issuers(text)).toEqual({
      authentication: {
        issuers: [
          {
            issuer: 'https://a.test/',
            audiences: ['api'],
            sources: [
              { header: 'X-Token', prefix: null },
              { header: 'Authorization', prefix: 'Bearer' },
              { cookie: '__Host-session' },
            ],
            claims: { roles: 'https://a.test/roles' },
          },
        ],
      },
    });
  });

  test.each([
    ['no audience', '{ issuer: a, audiences: [] }', /audiences/],
    ['a symmetric algorithm', '{ issuer: a, audiences: [b], algorithms: [HS256] }', /algorithms/],
    ['none', '{ issuer: a, audiences: [b], algorithms: [none] }', /algorithms/],
    ['roles by a plain name', '{ issuer: a, audiences: [b], claims: { roles: roles } }', /roles/],
    ['the same issuer twice', '{ issuer: a, audiences: [b] }\n    - { issuer: a, audiences: [c] }', /twice/],
    ['a header that is none', '{ issuer: a, audiences: [b], sources: [{ header: "a b" }] }', /sources/],
    ['an hour of leeway', '{ issuer: a, audiences: [b], skewSeconds: 3600 }', /skewSeconds/],
  ])('with %s is refused', (_name, text, message) => {
    expect(() => issuers(text)).toThrow(message);
  });
});
