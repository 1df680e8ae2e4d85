import { AppError, isAppError } from '@timbre/platform/errors';
import type { ObjectStore } from '@timbre/platform/storage/object-store';
import { decodeRecording } from '@timbre/speech/decoding/decode-recording';
import type { Recording } from '@timbre/speech/engine';
import { LIMITS } from '../services/limits.ts';
import { recordingKey } from '../services/object-keys.ts';

interface Place {
  ownerId: string;
  voiceId: string;
}

interface Named {
  id: string;
  fileName: string;
}

export interface CollectOptions<Sample extends Named> {
  store: ObjectStore;
  place: Place;
  samples: readonly Sample[];
  /** Called after each, in order. */
  onDecoded: (sample: Sample, index: number, durationMs: number) => Promise<void>;
  signal: AbortSignal;
}

/**
 * Decodes a voice's recordings one after the other and keeps the first two minutes of them: all have
 * to be sound, whether they are used or not.
 *
 * @throws AppError AUDIO_… that names the recording, AUDIO_TOO_LONG for all of them together.
 */
export async function collectRecordings<Sample extends Named>(options: CollectOptions<Sample>): Promise<Recording[]> {
  const kept: Recording[] = [];
  let totalMs = 0;
  let wantedSeconds: number = LIMITS.fittedSeconds;
  for (const [index, sample] of options.samples.entries()) {
    const decoded = await decodeStored(options, sample, `Recording ${index + 1}`);
    totalMs += decoded.durationMs;
    if (totalMs > LIMITS.totalSeconds * 1000) {
      throw new AppError(
        'AUDIO_TOO_LONG',
        `The recordings may last ${LIMITS.totalSeconds} s together; the first ${index + 1} last ${Math.round(totalMs / 1000)} s.`,
      );
    }
    if (wantedSeconds > 0) {
      const { samples, sampleRate } = decoded;
      // A copy of what is needed lets go of the rest.
      kept.push({ samples: samples.slice(0, Math.ceil(wantedSeconds * sampleRate)), sampleRate });
      wantedSeconds -= samples.length / sampleRate;
    }
    await options.onDecoded(sample, index, Math.round(decoded.durationMs));
  }
  return kept;
}

/** @throws AppError AUDIO_… whose message begins with what the recording is called. */
export async function decodeStored(
  { store, place, signal }: { store: ObjectStore; place: Place; signal: AbortSignal },
  { id, fileName }: Named,
  what: string,
) {
  const bytes = await store.get(recordingKey(place.ownerId, place.voiceId, id));
  signal.throwIfAborted();
  try {
    return await decodeRecording(bytes, { maxSeconds: LIMITS.sampleSeconds, maxBytes: LIMITS.sampleBytes, signal });
  } catch (error) {
    if (!isAppError(error) || !error.code.startsWith('AUDIO_')) throw error;
    throw new AppError(error.code, `${what} (“${fileName}”): ${error.message}`, { cause: error });
  }
}
