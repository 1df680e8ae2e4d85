import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readTrustedDocuments } from '@timbre/router/documents/trusted-documents';
import { expect, test } from 'vitest';
import * as generated from '../generated/graphql.ts';

test('what our own commands send is among the documents of the graph', () => {
  const directory = join(import.meta.dirname, '../../../schema/operations');
  const texts = readdirSync(directory).map((file) => readFileSync(join(directory, file), 'utf8'));
  const trusted = readTrustedDocuments(texts.join('\n'));
  const documents = Object.entries(generated).filter(([name]) => name.endsWith('Document'));
  expect(documents.length).toBeGreaterThan(15);
  for (const [name, document] of documents) expect([name, trusted.has(document.toString())]).toEqual([name, true]);
});
