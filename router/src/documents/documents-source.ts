import { statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { textSource } from '../sources/text-source.ts';
import type { TextSource } from '../sources/text-source.ts';

/**
 * Where a manifest of trusted documents comes from, to be read and watched as a supergraph is: a file or an http(s) URL of
 * Apollo's format or of GraphQL, or a directory whose `*.graphql` are one text.
 */
export function documentsSource(name: string): TextSource {
  if (statSync(name, { throwIfNoEntry: false })?.isDirectory() !== true) return textSource(name);
  let last: string | null = null;
  return {
    name,
    // Whoever watches it watches the directory.
    file: join(name, '*.graphql'),
    async read() {
      const files = (await readdir(name)).filter((file) => file.endsWith('.graphql')).toSorted();
      const texts = await Promise.all(files.map((file) => readFile(join(name, file), 'utf8')));
      const text = texts.join('\n');
      if (text === last) return null;
      last = text;
      return text;
    },
  };
}
