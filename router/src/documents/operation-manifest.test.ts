import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ApolloClient, ApolloLink, gql, InMemoryCache } from '@apollo/client';
import { print } from 'graphql';
import { EMPTY } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../testing/persisted-queries.ts';
import { manifestOf } from './operation-manifest.ts';
import { readTrustedDocuments } from './trusted-documents.ts';

describe('the manifest of the graph', () => {
  const directory = join(import.meta.dirname, '../../../schema/operations');
  const text = readdirSync(directory)
    .map((file) => readFileSync(join(directory, file), 'utf8'))
    .join('\n');
  const manifest = manifestOf(text, 'apollo-client');

  test('has for each operation the very text that Apollo Client sends', async () => {
    let sent = '';
    const link = new ApolloLink(({ query }) => {
      sent = print(query);
      return EMPTY;
    });
    const client = new ApolloClient({ cache: new InMemoryCache(), link });
    const written = manifestOf(text, 'as-written').operations;
    for (const [i, { type, name, body }] of written.entries()) {
      const document = gql(body);
      if (type === 'query') await client.query({ query: document }).catch(() => undefined);
      else if (type === 'mutation') await client.mutate({ mutation: document }).catch(() => undefined);
      else client.subscribe({ query: document }).subscribe({ error: () => undefined });
      expect([name, sent]).toEqual([manifest.operations[i]?.name, manifest.operations[i]?.body]);
      expect(sha256(sent)).toBe(manifest.operations[i]?.id);
    }
    client.stop();
  });

  test('is trusted as a directory, with the documents as they are written', () => {
    const trusted = readTrustedDocuments(text);
    const written = manifestOf(text, 'as-written');
    for (const { id, body } of [...manifest.operations, ...written.operations]) {
      expect(trusted.byId(id)).toBe(body);
      expect(trusted.has(body)).toBe(true);
    }
    expect(manifest.operations.length).toBeGreaterThan(15);
  });
});
