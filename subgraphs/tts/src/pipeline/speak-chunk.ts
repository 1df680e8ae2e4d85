import { readSpeakableVoice } from '@timbre/db/voices/read-speakable-voice';
import { VoiceProfile } from '@timbre/speech/engine';
import { beginChunkAttempt } from '../repos/chunks.ts';
import { notify } from '../services/notify.ts';
import { chunkKey } from '../services/object-keys.ts';
import { planChunks } from '../services/plan-chunks.ts';
import { RunOver } from './chunk-failure.ts';
import type { Parts } from './parts.ts';
import { patiently } from '../patiently.ts';
import { recordChunk } from './record.ts';
import type { Run, RunChunk } from './run.ts';
import { shapeChunk } from './shape-chunk.ts';

/** The voice can no longer speak for this owner, or is no longer the voice that was asked for. */
export class VoiceGone extends Error {}

/** What ends each chunk's text, by the chunk's end. */
export function chunkEnds(text: string): ReadonlyMap<number, ReturnType<typeof planChunks>[number]['boundary']> {
  return new Map(planChunks(text).map(({ end, boundary }) => [end, boundary]));
}

/**
 * Speaks one chunk, stores it as a WAV object and records it. The voice is read anew for every chunk, so that one that
 * was deleted or revoked is not heard any longer than that. @throws RunOver, VoiceGone, and what the engine throws.
 */
export async function speakChunk(
  { db, bus, store, engine, metrics, log }: Parts,
  run: Run,
  chunk: RunChunk,
  ends: ReturnType<typeof chunkEnds>,
  signal: AbortSignal,
): Promise<void> {
  const { generation, text, token } = run;
  const { id: generationId, ownerId, renderingId, voiceId, voiceRevision, speed } = generation;
  const { index, charStart, charEnd } = chunk;
  const patience = { log, signal };

  const [attempt, voice] = await Promise.all([
    patiently(patience, () => beginChunkAttempt(db, { generationId, renderingId, token }, index)),
    patiently(patience, () => readSpeakableVoice(db, ownerId, voiceId)),
  ]);
  if (attempt === null) throw new RunOver();
  if (voice?.status !== 'READY' || voice.revision !== voiceRevision) throw new VoiceGone();

  const profile = VoiceProfile.parse(voice.profile);
  const spoken = metrics.chunkSeconds.startTimer({ step: 'synthesize' });
  const speech = await engine.synthesize({ text: text.slice(charStart, charEnd), profile, speed, signal });
  spoken();
  const boundary = charEnd === text.length ? null : (ends.get(charEnd) ?? 'sentence');
  const { wav, sampleCount, words } = shapeChunk(speech, { charStart, boundary, speed });

  const stored = metrics.chunkSeconds.startTimer({ step: 'store' });
  const audioKey = chunkKey(ownerId, renderingId, index, attempt);
  await store.put(audioKey, wav, { contentType: 'audio/wav' });
  stored();
  const recorded = metrics.chunkSeconds.startTimer({ step: 'record' });
  const sound = { audioKey, sampleCount, words, sampleRate: speech.sampleRate };
  await patiently(patience, () => recordChunk(db, run, chunk, sound));
  recorded();
  metrics.spokenSeconds.inc(sampleCount / speech.sampleRate);
  if (index === 0) metrics.firstAudioSeconds.observe((Date.now() - generation.createdAt.getTime()) / 1000);
  await notify({ bus, log }, { generation, quota: true });
}
