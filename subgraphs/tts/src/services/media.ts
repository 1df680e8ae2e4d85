import { AppError } from '@timbre/platform/errors';
import type { ObjectStore } from '@timbre/platform/storage/object-store';
import { FORMATS } from '@timbre/speech/codecs/formats';
import type { AudioAssetRow, GenerationRow } from '../rows.ts';
import { toMs } from './tokens.ts';

/** How long a signed URL is good for; a client asks again for a fresh one. */
const URL_SECONDS = 3600;

/** The whole of a generation's sound; null until it is there. */
export async function audioAsset(
  store: ObjectStore,
  { format, state, rendering }: GenerationRow,
): Promise<AudioAssetRow | null> {
  const { audioKey: key, audioDurationMs: durationMs, audioSizeBytes: sizeBytes, audioSha256: sha256 } = rendering;
  if (key === null || durationMs === null || sizeBytes === null || sha256 === null) return null;
  // While failed chunks are done again, the whole is not what it was.
  if (state !== 'SUCCEEDED' && state !== 'PARTIALLY_FAILED') return null;
  const { contentType } = FORMATS[format];
  const { url, expiresAt } = await store.downloadUrl({ key, contentType, expiresInSeconds: URL_SECONDS });
  return { url, expiresAt, durationMs, sizeBytes, sha256 };
}

/** Until when whoever is handed the URL has at least half its life before them. */
export function fairlyNewUntil({ expiresAt }: AudioAssetRow): Date {
  return new Date(expiresAt.getTime() - (URL_SECONDS * 1000) / 2);
}

/**
 * Where a chunk can be heard: its own WAV; once that was discarded, its part of the whole as a media fragment
 * (https://www.w3.org/TR/media-frags/#naming-time).
 */
export async function chunkAudioUrl(
  store: ObjectStore,
  { format, rendering }: GenerationRow,
  chunk: { audioKey: string | null; startSample: number; sampleCount: number; sampleRate: number },
): Promise<string> {
  if (chunk.audioKey !== null && rendering.chunkAudioDiscardedAt === null) {
    const options = { key: chunk.audioKey, contentType: 'audio/wav', expiresInSeconds: URL_SECONDS };
    return (await store.downloadUrl(options)).url;
  }
  if (rendering.audioKey === null) throw new AppError('GONE', 'The sound of this chunk is gone.');
  const { contentType } = FORMATS[format];
  const { url } = await store.downloadUrl({ key: rendering.audioKey, contentType, expiresInSeconds: URL_SECONDS });
  const seconds = (sample: number) => (toMs(sample, chunk.sampleRate) / 1000).toFixed(3);
  return `${url}#t=${seconds(chunk.startSample)},${seconds(chunk.startSample + chunk.sampleCount)}`;
}
