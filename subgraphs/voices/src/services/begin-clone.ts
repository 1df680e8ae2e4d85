import { withIdempotency } from '@timbre/db/idempotency';
import { voicesIdempotency } from '@timbre/db/voices/tables';
import { newId } from '@timbre/platform/ids';
import { z } from 'zod';
import { findSamples, insertSamples } from '../repos/samples.ts';
import { findVoices, insertVoice } from '../repos/voices.ts';
import type { VoiceRow } from '../rows.ts';
import { checkSamples, type AnnouncedRecording } from './check-recordings.ts';
import { consentStatement } from './consent-statement.ts';
import { isOpen } from './own-voice.ts';
import { keyConflict, noSuchVoice } from './refusals.ts';
import { announce, type Resources } from './resources.ts';
import { requireSlot } from './slots.ts';
import { uploadTarget, type UploadTarget } from './uploads.ts';
import { checkDescription, checkKey, checkLabels, checkText, NAME, Problems, type Label } from './validation.ts';

export interface BeginCloneInput {
  idempotencyKey: string;
  name: string;
  description?: string | null | undefined;
  labels?: readonly Label[] | null | undefined;
  samples: readonly AnnouncedRecording[];
}

export interface BegunClone {
  voice: VoiceRow;
  /** In the samples' order; none once the clone was finalized. */
  uploads: UploadTarget[];
  consentStatement: string;
}

/**
 * Step 1: the voice and its samples as they were announced, and where to send them. Replaying the
 * key gives the same voice with fresh addresses, which is how an expired one is renewed.
 *
 * @throws Refused with ValidationError, VoiceLimitError or IdempotencyConflictError.
 */
export async function beginClone(
  { db, store, bus }: Resources,
  viewerId: string,
  input: BeginCloneInput,
): Promise<BegunClone> {
  const checked = checkInput(input);
  const begun = await db.transaction((tx) =>
    withIdempotency(
      tx,
      voicesIdempotency,
      {
        userId: viewerId,
        operation: 'beginVoiceClone',
        key: input.idempotencyKey,
        input: checked,
        result: begunSchema,
      },
      async () => {
        await requireSlot(tx, viewerId, ['input']);
        const { samples, ...about } = checked;
        const voiceId = newId('voi');
        await insertVoice(tx, {
          id: voiceId,
          ownerId: viewerId,
          kind: 'CLONED_INSTANT',
          status: 'AWAITING_UPLOAD',
          ...about,
        });
        await insertSamples(
          tx,
          samples.map((sample, position) => ({ id: newId('smp'), voiceId, ownerId: viewerId, position, ...sample })),
        );
        return { result: { voiceId }, remember: true };
      },
    ),
  );
  if (begun.kind === 'conflict') throw keyConflict(['input', 'idempotencyKey']);

  const { voiceId } = begun.result;
  if (!begun.replayed) await announce(bus, { id: voiceId, ownerId: viewerId });
  const [voice] = await findVoices(db, { of: 'owner', viewerId }, [voiceId]);
  if (voice === null || voice === undefined) throw noSuchVoice(['input', 'idempotencyKey']);
  const [samples = []] = isOpen(voice) ? await findSamples(db, viewerId, [voiceId]) : [];
  return {
    voice,
    uploads: await Promise.all(samples.map((sample) => uploadTarget(store, { ownerId: viewerId, voiceId }, sample))),
    consentStatement: consentStatement(voice.name, null, 'en').statement,
  };
}

const begunSchema = z.object({ voiceId: z.string() });

function checkInput(input: BeginCloneInput) {
  const problems = new Problems();
  checkKey(problems, ['input', 'idempotencyKey'], input.idempotencyKey);
  const checked = {
    name: checkText(problems, ['input', 'name'], input.name, NAME),
    description: checkDescription(problems, ['input', 'description'], input.description),
    labels: checkLabels(problems, ['input', 'labels'], input.labels ?? []),
    samples: checkSamples(problems, ['input', 'samples'], input.samples),
  };
  problems.throwIfAny();
  return checked;
}
