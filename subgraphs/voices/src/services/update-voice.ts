import type { VoiceRow } from '../rows.ts';
import { changeOwnVoice } from './own-voice.ts';
import { announce, type Resources } from './resources.ts';
import { checkDescription, checkLabels, checkText, NAME, Problems, type Label } from './validation.ts';

export interface UpdateVoiceInput {
  voiceId: string;
  name?: string | null | undefined;
  description?: string | null | undefined;
  labels?: readonly Label[] | null | undefined;
}

/**
 * Changes what was given: an absent field stays, a null description or null labels are cleared.
 * @throws Refused with ValidationError.
 */
export async function updateVoice(
  { db, bus }: Resources,
  viewerId: string,
  input: UpdateVoiceInput,
): Promise<VoiceRow> {
  const problems = new Problems();
  const change: Pick<Partial<VoiceRow>, 'name' | 'description' | 'labels'> = {};
  if (input.name === null) problems.add('REQUIRED', ['input', 'name'], 'A voice has to have a name.');
  else if (input.name !== undefined) change.name = checkText(problems, ['input', 'name'], input.name, NAME);
  if (input.description !== undefined) {
    change.description = checkDescription(problems, ['input', 'description'], input.description);
  }
  if (input.labels !== undefined) change.labels = checkLabels(problems, ['input', 'labels'], input.labels ?? []);
  problems.throwIfAny();
  const voice = await changeOwnVoice(db, viewerId, { id: input.voiceId, change, path: ['input', 'voiceId'] });
  await announce(bus, { id: voice.id, ownerId: viewerId });
  return voice;
}
