import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@timbre/platform/logger';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDocuments } from './open-documents.ts';
import { readTrustedDocuments } from './trusted-documents.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'timbre-documents-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const log = createLogger({ name: 'test', level: 'silent' });
const open = (source: string) =>
  openDocuments({ trusted: { source, mode: 'enforce' } }, { file: join(directory, 'router.yaml'), shared: null });

test('a directory is one list, and followed: another is trusted, a bad one is not', async () => {
  await writeFile(join(directory, 'a.graphql'), 'query A { me { ...F } }');
  await writeFile(join(directory, 'f.graphql'), 'fragment F on Person { id }');
  await writeFile(join(directory, 'notes.txt'), 'no GraphQL');
  const documents = await open('.');
  expect(readTrustedDocuments(documents.options.trusted?.manifest ?? '').size).toBe(2);

  const trusted: string[] = [];
  const watch = documents.follow((manifest) => {
    readTrustedDocuments(manifest);
    trusted.push(manifest);
  }, log);
  await writeFile(join(directory, 'b.graphql'), 'query A { other }');
  await writeFile(join(directory, 'b.graphql'), 'query B { who { userId } }');
  await expect.poll(() => trusted.at(-1)).toContain('query B');
  watch.close();
});

test.each([
  ['is not there', 'nothing.json', null],
  ['is no manifest', 'list.json', '{"format": "other"}'],
  ['is no GraphQL', 'list.graphql', 'query {'],
])('a list that %s is said to be so', async (_name, source, text) => {
  if (text !== null) await writeFile(join(directory, source), text);
  await expect(open(source)).rejects.toThrow(`The list of trusted documents ${join(directory, source)} is not usable`);
});

test('without a list there is nothing to follow', async () => {
  const { options, follow } = await openDocuments({ automatic: true }, { file: 'router.yaml', shared: null });
  expect(options).toEqual({ automatic: {}, trusted: null });
  follow(() => expect.unreachable(), log).close();
});
