import type { Job } from '@timbre/db/jobs';
import type { FailureValue } from '@timbre/db/voices/tables';
import type { Logger } from '@timbre/platform/logger';
import type { FittedVoice, SpeechEngine, VoiceFitter } from '@timbre/speech/engine';
import { collectRecordings, decodeStored } from './fitting/collect-recordings.ts';
import { compareSpeakers } from './fitting/compare-speakers.ts';
import { ENGINE_MISSING, failureOf, FittingFailed } from './fitting/failure.ts';
import { fittingLanguage } from './fitting/language.ts';
import { makePreview } from './fitting/make-preview.ts';
import { createProgress } from './fitting/progress.ts';
import { setConsentState } from './repos/consents.ts';
import { writeDuration } from './repos/samples.ts';
import { readVoice, writeFailed, writeFitting, writeReady, type VoiceWithRecordings } from './repos/unattended.ts';
import { enqueueClean } from './services/delete-voice.ts';
import { previewKey } from './services/object-keys.ts';
import { announce, type Resources } from './services/resources.ts';

export interface FittingResources extends Resources {
  /** Null where none is installed. */
  engine: (SpeechEngine & VoiceFitter) | null;
  log: Logger;
}

const MISMATCH = 'CONSENT_VOICE_MISMATCH';

/** The shares of a fitting's progress. */
const DECODED = 0.2;
const COMPARED = 0.25;
const FITTED = 0.95;

/**
 * The job behind a finalized clone: decode, compare the consent's speaker, fit, preview, READY; or
 * FAILED with a code. Safe to run again at any point: what it writes depends on the recordings alone,
 * and the last write is one transaction that only a PROCESSING voice takes.
 *
 * @throws whatever a further attempt may cure; the queue counts them.
 */
export async function fitVoice(resources: FittingResources, job: Job<{ voiceId: string }>): Promise<void> {
  const { db, bus, log } = resources;
  const { voiceId } = job.data;
  const found = await readVoice(db, voiceId);
  if (found === null || found.voice.status !== 'PROCESSING') return;

  const unwanted = new AbortController();
  const signal = AbortSignal.any([job.signal, unwanted.signal]);
  let given = true;
  const progress = createProgress({
    async write(fitting) {
      given = await writeFitting(db, voiceId, fitting);
      if (given) await announce(bus, found.voice);
      return given;
    },
    onEnd: (reason) => unwanted.abort(reason),
  });

  try {
    const fitted = await fit(resources, found, (share) => progress.report(share), signal);
    await progress.stop();
    await finish(resources, found, fitted);
  } catch (error) {
    await progress.stop();
    // Deleted, or its consent revoked: whoever did that has already seen to the rest.
    if (!given) return log.info({ voiceId }, 'fitting abandoned: the voice is no longer wanted');
    job.signal.throwIfAborted();
    const failure = failureOf(error, job.attempt);
    if (failure === null) throw error;
    log.info({ voiceId, code: failure.code }, 'voice failed');
    await fail(resources, voiceId, failure);
  }
  return undefined;
}

/** Ends a PROCESSING voice as FAILED. What failed for good has no use for its recordings any more. */
export async function fail({ db, jobs, bus }: Resources, voiceId: string, failure: FailureValue): Promise<void> {
  const failed = await db.transaction(async (tx) => {
    const found = await readVoice(tx, voiceId);
    if (found === null || !(await writeFailed(tx, voiceId, failure))) return null;
    if (failure.code === MISMATCH) await setConsentState(tx, voiceId, 'REJECTED');
    if (!failure.retryable) await enqueueClean(jobs, tx, found.voice.ownerId, voiceId);
    return found.voice;
  });
  if (failed !== null) await announce(bus, failed);
}

type Fitted = FittedVoice & { previewKey: string; revision: number; verified: boolean };

async function fit(
  { db, store, engine }: FittingResources,
  { voice, samples, consent }: VoiceWithRecordings,
  report: (progress: number) => void,
  signal: AbortSignal,
): Promise<Fitted> {
  report(0);
  const place = { ownerId: voice.ownerId, voiceId: voice.id };
  const recordings = await collectRecordings({
    store,
    place,
    samples,
    signal,
    async onDecoded(sample, index, durationMs) {
      await writeDuration(db, sample.id, durationMs);
      report((DECODED * (index + 1)) / samples.length);
    },
  });

  const spoken = consent?.recording ?? null;
  if (spoken !== null) {
    const { same, pitchSemitones, timbre } = compareSpeakers(
      recordings,
      await decodeStored({ store, place, signal }, spoken, 'The consent'),
    );
    if (!same) {
      const measured = `pitch ${pitchSemitones.toFixed(1)} semitones apart, timbre distance ${timbre.toFixed(2)}`;
      throw new FittingFailed({
        code: MISMATCH,
        message: `The consent does not sound like the speaker of the recordings (${measured}).`,
        retryable: false,
      });
    }
  }
  report(COMPARED);

  if (engine === null) throw new FittingFailed(ENGINE_MISSING);
  const language = fittingLanguage(consent?.locale ?? null, engine.models());
  const fitted = await engine.fit({
    recordings,
    ...(language === null ? {} : { language }),
    onProgress: (share) => report(COMPARED + (FITTED - COMPARED) * share),
    signal,
  });
  const revision = voice.revision + 1;
  const key = previewKey(voice.ownerId, voice.id, revision);
  await makePreview({ engine, store }, { key, profile: fitted.profile, signal });
  return { ...fitted, previewKey: key, revision, verified: spoken !== null };
}

async function finish({ db, bus, store }: Resources, { voice }: VoiceWithRecordings, fitted: Fitted): Promise<void> {
  const { verified, profile, ...rest } = fitted;
  const ready = await db.transaction(async (tx) => {
    const languages = Intl.getCanonicalLocales(profile.language);
    const written = await writeReady(tx, voice.id, { ...rest, profile, languages });
    if (written && verified) await setConsentState(tx, voice.id, 'VERIFIED', new Date());
    return written;
  });
  if (!ready) {
    // Deleted or revoked at the last moment, after the clean-up had gone by. Or another worker was faster: its preview stays.
    const current = await readVoice(db, voice.id);
    if (current?.voice.previewKey !== fitted.previewKey) await store.delete([fitted.previewKey]);
  }
  await announce(bus, voice);
}
