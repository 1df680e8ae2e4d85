import type { Tx } from '@timbre/db/client';
import { readIdempotent, withIdempotency } from '@timbre/db/idempotency';
import { voicesIdempotency } from '@timbre/db/voices/tables';
import { z } from 'zod';
import { findConsents } from '../repos/consents.ts';
import { findSamples } from '../repos/samples.ts';
import { updateLockedVoice } from '../repos/voices.ts';
import type { ConsentRow, VoiceRow } from '../rows.ts';
import { consentStatement } from './consent-statement.ts';
import { voicePrefix } from './object-keys.ts';
import { holdOwnVoice, isOpen, ownVoice, type OwnVoice } from './own-voice.ts';
import { invalid, keyConflict, Refused, type ConsentRefusal, type ValidationRefusal } from './refusals.ts';
import { announce, type Resources } from './resources.ts';
import { requireSlot } from './slots.ts';
import { acceptRecording, missingRecording, type Expected } from './uploads.ts';
import { checkKey, Problems } from './validation.ts';

const startedSchema = z.object({ voiceId: z.string() });

const VOICE_ID = ['voiceId'];
const CONSENT_RECORDING = ['consent', 'recording'];

/**
 * Step 3: takes the uploads in and starts the fitting. Only a start uses the key up; after a refusal
 * the same key may come again. A voice that failed in a way that may pass is started once more.
 *
 * @throws Refused with ValidationError (one per recording that is missing or not what was announced),
 *   ConsentRequiredError, VoiceLimitError or IdempotencyConflictError.
 */
export async function finalizeClone(
  resources: Resources,
  viewerId: string,
  voiceId: string,
  key: string,
): Promise<VoiceRow> {
  const { db, bus, store } = resources;
  const problems = new Problems();
  checkKey(problems, ['idempotencyKey'], key);
  problems.throwIfAny();

  const found = await ownVoice(db, viewerId, voiceId, VOICE_ID);
  // A key that started another voice conflicts, whatever else this one still lacks.
  const call = { userId: viewerId, operation: 'finalizeVoiceClone', key, input: { voiceId }, result: startedSchema };
  const used = await readIdempotent(db, voicesIdempotency, call);
  if (used !== null && used.voiceId !== voiceId) throw keyConflict(['idempotencyKey']);
  const received = isOpen(found) ? await receive(resources, found) : null;
  const started = await db
    .transaction((tx) =>
      withIdempotency(tx, voicesIdempotency, call, () => start(resources, tx, viewerId, voiceId, received)),
    )
    .catch(async (error: unknown) => {
      // The voice may have been deleted while its uploads were taken in, behind the back of the clean-up.
      const gone = error instanceof Refused && error.errors.some(({ code }) => code === 'VOICE_NOT_FOUND');
      if (gone && received !== null) await store.deletePrefix(voicePrefix(viewerId, voiceId));
      throw error;
    });
  if (started.kind === 'conflict') throw keyConflict(['idempotencyKey']);
  if (!started.replayed) await announce(bus, { id: voiceId, ownerId: viewerId });
  return ownVoice(db, viewerId, voiceId, VOICE_ID);
}

interface Received {
  /** The consent's recording that was taken in; a consent submitted meanwhile may have another. */
  consentRecordingId: string | null;
}

/** Outside of any transaction: moving a hundred megabytes is no time to hold locks. */
async function receive({ db, store, bus }: Resources, voice: OwnVoice): Promise<Received> {
  const [[samples = []], [consent = null]] = await Promise.all([
    findSamples(db, voice.ownerId, [voice.id]),
    findConsents(db, voice.ownerId, [voice.id]),
  ]);
  const place = { ownerId: voice.ownerId, voiceId: voice.id };
  const spoken = consent?.recording ?? null;
  const announced: Expected[] = samples.map((recording) => ({
    recording,
    path: ['samples', String(recording.position)],
  }));
  if (spoken !== null) announced.push({ recording: spoken, path: CONSENT_RECORDING });
  // All are looked at before any is taken in: those that arrived may be sent again until the rest is there.
  let wrong = await each(announced, (expected) => missingRecording(store, place, expected));
  if (wrong.length === 0) wrong = await each(announced, (expected) => acceptRecording(store, place, expected));

  if (consent === null) {
    if (wrong.length === 0 && voice.status === 'AWAITING_UPLOAD') {
      await db.transaction(async (tx) => {
        const current = await holdOwnVoice(tx, voice.ownerId, voice.id, VOICE_ID);
        if (current.status === 'AWAITING_UPLOAD') await updateLockedVoice(tx, voice.id, { status: 'AWAITING_CONSENT' });
      });
      await announce(bus, voice);
    }
    throw new Refused(...wrong, consentRequired(voice));
  }
  if (wrong.length > 0) throw new Refused(...wrong);
  return { consentRecordingId: spoken?.id ?? null };
}

async function each(
  announced: Expected[],
  look: (expected: Expected) => Promise<ValidationRefusal | null>,
): Promise<ValidationRefusal[]> {
  return (await Promise.all(announced.map(look))).filter((refusal) => refusal !== null);
}

async function start(
  { jobs }: Resources,
  tx: Tx,
  viewerId: string,
  voiceId: string,
  received: Received | null,
): Promise<{ result: z.infer<typeof startedSchema>; remember: true }> {
  const voice = await holdOwnVoice(tx, viewerId, voiceId, VOICE_ID);
  const [consent = null] = await findConsents(tx, viewerId, [voiceId]);
  if (isOpen(voice)) requireReceived(voice, consent, received);
  else if (voice.status === 'FAILED' && voice.failure?.retryable === true) await requireSlot(tx, viewerId, VOICE_ID);
  else if (voice.status === 'FAILED') {
    const { message = '' } = voice.failure ?? {};
    throw new Refused(invalid('VOICE_FAILED', VOICE_ID, `This clone has failed for good: ${message}`));
  } else {
    throw new Refused(
      invalid('VOICE_ALREADY_FINALIZED', VOICE_ID, `This voice was finalized before; it is ${voice.status}.`),
    );
  }
  await updateLockedVoice(tx, voiceId, { status: 'PROCESSING', fitting: 0, failure: null });
  await jobs.enqueue(tx, 'voices.fit', { voiceId }, { group: { id: viewerId } });
  return { result: { voiceId }, remember: true };
}

function requireReceived(voice: VoiceRow, consent: ConsentRow | null, received: Received | null): void {
  if (consent === null) throw new Refused(consentRequired(voice));
  const recordingId = consent.recording?.id ?? null;
  if (recordingId !== null && recordingId !== received?.consentRecordingId) {
    throw new Refused(invalid('UPLOAD_MISSING', CONSENT_RECORDING, `Recording ${recordingId} has not arrived.`));
  }
}

function consentRequired(voice: VoiceRow): ConsentRefusal {
  return {
    __typename: 'ConsentRequiredError',
    code: 'CONSENT_REQUIRED',
    path: VOICE_ID,
    message: 'The speaker has to agree first: submit their consent to this statement.',
    statement: consentStatement(voice.name, null, 'en').statement,
  };
}
