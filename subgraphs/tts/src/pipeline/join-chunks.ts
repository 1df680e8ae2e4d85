import { FORMATS } from '@timbre/speech/codecs/formats';
import type { SoundingChunkRow } from '../rows.ts';
import { audioKey } from '../services/object-keys.ts';
import type { Parts } from './parts.ts';
import type { StoredAudio } from './record.ts';
import type { Run } from './run.ts';

/** Lays the chunks that are there end to end, encodes them and stores the whole, a chunk in memory at a time. */
export async function joinChunks(
  { store, encoder, metrics }: Parts,
  { generation, number }: Run,
  chunks: readonly SoundingChunkRow[],
  sampleRate: number,
  signal: AbortSignal,
): Promise<StoredAudio> {
  const { ownerId, renderingId, format } = generation;
  const key = audioKey(ownerId, renderingId, number, format);
  const totalSamples = chunks.reduce((sum, { sampleCount }) => sum + (sampleCount ?? 0), 0);
  async function* wavs() {
    for (const chunk of chunks) {
      signal.throwIfAborted();
      if (chunk.audioKey !== null) yield await store.get(chunk.audioKey);
    }
  }
  const joined = metrics.joinSeconds.startTimer();
  const encoding = encoder.encode({ format, sampleRate, totalSamples, wavs: wavs() });
  const stored = await store.put(key, encoding.bytes, { contentType: FORMATS[format].contentType });
  joined();
  return { key, durationMs: encoding.durationMs(), ...stored };
}
