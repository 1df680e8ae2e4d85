import { withIdempotency } from '@timbre/db/idempotency';
import { voicesIdempotency } from '@timbre/db/voices/tables';
import { newId } from '@timbre/platform/ids';
import { z } from 'zod';
import { findConsents, putConsent } from '../repos/consents.ts';
import { updateLockedVoice } from '../repos/voices.ts';
import type { VoiceRow } from '../rows.ts';
import { checkRecording, type AnnouncedRecording } from './check-recordings.ts';
import { canonicalLocale, consentStatement } from './consent-statement.ts';
import { LIMITS } from './limits.ts';
import { holdOwnVoice, isOpen, ownVoice } from './own-voice.ts';
import { invalid, keyConflict, Refused } from './refusals.ts';
import { announce, type Resources } from './resources.ts';
import { uploadTarget, type UploadTarget } from './uploads.ts';
import { checkKey, checkText, Problems } from './validation.ts';

export interface SubmitConsentInput {
  idempotencyKey: string;
  voiceId: string;
  speakerName: string;
  locale: string;
  recording?: AnnouncedRecording | null | undefined;
  attestation: boolean;
}

export interface SubmittedConsent {
  voice: VoiceRow;
  /** Null where no recording was announced. */
  upload: UploadTarget | null;
}

const VOICE_ID = ['input', 'voiceId'];

/**
 * Step 2: the speaker's consent, by the caller's word, by a recording of the statement, or both.
 * Until the clone is finalized a later one replaces it.
 *
 * @throws Refused with ValidationError or IdempotencyConflictError.
 */
export async function submitConsent(
  { db, store, bus }: Resources,
  viewerId: string,
  input: SubmitConsentInput,
): Promise<SubmittedConsent> {
  const { key, ...checked } = checkInput(input);
  // Before the key is looked at, so that a stranger's voice answers like a missing one whatever the key.
  await ownVoice(db, viewerId, input.voiceId, VOICE_ID);
  const submitted = await db.transaction((tx) =>
    withIdempotency(
      tx,
      voicesIdempotency,
      {
        userId: viewerId,
        operation: 'submitVoiceConsent',
        key,
        input: { voiceId: input.voiceId, ...checked },
        result: z.object({ recordingId: z.string().nullable() }),
      },
      async () => {
        const voice = await holdOwnVoice(tx, viewerId, input.voiceId, VOICE_ID);
        if (!isOpen(voice)) {
          throw new Refused(
            invalid(
              'VOICE_ALREADY_FINALIZED',
              VOICE_ID,
              `Consent is given before finalizing; this voice is ${voice.status}.`,
            ),
          );
        }
        const recording = checked.recording === null ? null : { id: newId('smp'), ...checked.recording };
        await putConsent(tx, {
          voiceId: voice.id,
          ownerId: viewerId,
          state: 'ATTESTED',
          speakerName: checked.speakerName,
          ...consentStatement(voice.name, checked.speakerName, checked.locale),
          attested: checked.attestation,
          recording,
          recordedAt: new Date(),
        });
        await updateLockedVoice(tx, voice.id, { status: 'AWAITING_UPLOAD' });
        return { result: { recordingId: recording?.id ?? null }, remember: true };
      },
    ),
  );
  if (submitted.kind === 'conflict') throw keyConflict(['input', 'idempotencyKey']);
  if (!submitted.replayed) await announce(bus, { id: input.voiceId, ownerId: viewerId });

  const voice = await ownVoice(db, viewerId, input.voiceId, VOICE_ID);
  const [consent] = await findConsents(db, viewerId, [voice.id]);
  const recording = consent?.recording ?? null;
  // A replay after a later submission must not hand out the later one's address.
  const current = isOpen(voice) && recording !== null && recording.id === submitted.result.recordingId;
  return {
    voice,
    upload: current ? await uploadTarget(store, { ownerId: viewerId, voiceId: voice.id }, recording) : null,
  };
}

function checkInput(input: SubmitConsentInput) {
  const problems = new Problems();
  checkKey(problems, ['input', 'idempotencyKey'], input.idempotencyKey);
  const speakerName = checkText(problems, ['input', 'speakerName'], input.speakerName, {
    what: "The speaker's name",
    min: 1,
    max: LIMITS.speakerNameLength,
  });
  const locale = canonicalLocale(input.locale);
  if (locale === null) {
    const sent = JSON.stringify(input.locale.slice(0, 40));
    problems.add(
      'INVALID_LOCALE',
      ['input', 'locale'],
      `A locale is a BCP 47 tag such as "en" or "de-AT", not ${sent}.`,
    );
  }
  const announced = input.recording ?? null;
  const recording = announced === null ? null : checkRecording(problems, ['input', 'recording'], announced);
  if (!input.attestation && recording === null) {
    problems.add(
      'ATTESTATION_REQUIRED',
      ['input', 'attestation'],
      'State that the speaker agreed, or announce a recording in which they say so.',
    );
  }
  problems.throwIfAny();
  return { key: input.idempotencyKey, speakerName, locale: locale ?? 'en', recording, attestation: input.attestation };
}
