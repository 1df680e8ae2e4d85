import { dirname, resolve } from 'node:path';
import type { Cache } from '@timbre/platform/cache/cache';
import { SettingsError } from '@timbre/platform/env';
import type { Logger } from '@timbre/platform/logger';
import type { RouterConfiguration } from '../configuration/router-configuration.ts';
import { watchSource } from '../sources/watch-source.ts';
import type { SourceWatch } from '../sources/watch-source.ts';
import type { DocumentsOptions } from './documents-policy.ts';
import { documentsSource } from './documents-source.ts';
import { readTrustedDocuments } from './trusted-documents.ts';

export interface OpenDocuments {
  options: DocumentsOptions;
  /** Tells of every other manifest at the source that can be used. */
  follow: (trust: (manifest: string) => void, log: Logger) => SourceWatch;
}

/**
 * What a configuration says of documents, read.
 *
 * @param file the configuration's, from which paths go
 * @throws SettingsError
 */
export async function openDocuments(
  { automatic = false, trusted }: NonNullable<RouterConfiguration['documents']>,
  { file, shared }: { file: string; shared: Cache | null },
): Promise<OpenDocuments> {
  const options: DocumentsOptions = {
    automatic: automatic ? (shared === null ? {} : { shared }) : null,
    trusted: null,
  };
  if (trusted === undefined) return { options, follow: () => ({ close: () => undefined }) };
  const { source: place, ...rules } = trusted;
  const source = documentsSource(/^https?:\/\//.test(place) ? place : resolve(dirname(file), place));
  try {
    const manifest = (await source.read()) ?? '';
    readTrustedDocuments(manifest);
    options.trusted = { manifest, ...rules };
  } catch (error) {
    throw new SettingsError(`The list of trusted documents ${source.name}`, [
      error instanceof Error ? error.message : String(error),
    ]);
  }
  return {
    options,
    follow: (trust, log) =>
      watchSource(source, {
        log,
        async onChange(manifest) {
          try {
            trust(manifest);
            log.info({ source: source.name }, 'other documents are trusted');
          } catch (error) {
            log.error(
              { err: error, source: source.name },
              'the list of trusted documents is refused: the present one stays',
            );
          }
        },
      }),
  };
}
