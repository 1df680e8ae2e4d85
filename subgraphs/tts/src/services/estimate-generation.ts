import { readEntitlements } from '@timbre/db/billing/read-entitlements';
import { readSpeakableVoice } from '@timbre/db/voices/read-speakable-voice';
import { AppError } from '@timbre/platform/errors';
import { isCached } from '../repos/renderings.ts';
import { contentHash } from './content-hash.ts';
import type { Deps } from './deps.ts';
import { checkVoice, planLimits } from './generate-speech.ts';
import { planChunks } from './plan-chunks.ts';
import { microCredits, priceOf } from './price.ts';
import { checkModel, checkText } from './validate-speech.ts';

export interface Estimate {
  characters: number;
  credits: number;
  chunks: number;
  cached: boolean;
}

/**
 * What a generation with default format and settings would cost now.
 * @throws AppError BAD_USER_INPUT for what `generateSpeech` refuses, ENGINE_UNAVAILABLE.
 */
export async function estimateGeneration(
  { db, models }: Deps,
  viewerId: string,
  { voiceId, modelId, text }: { voiceId: string; modelId: string; text: string },
): Promise<Estimate> {
  const known = models();
  if (known.length === 0) throw new AppError('ENGINE_UNAVAILABLE', 'No speech engine is installed here.');
  const { plan } = await readEntitlements(db, viewerId);
  const model = known.find(({ id }) => id === modelId);
  const voice = await readSpeakableVoice(db, viewerId, voiceId);
  const errors = [
    ...checkText(text, planLimits(plan), model ?? null),
    ...checkModel(modelId, known),
    ...checkVoice(voice, ['input', 'voiceId']),
  ];
  if (errors.length > 0 || !voice || !model) {
    throw new AppError('BAD_USER_INPUT', errors.map(({ message }) => message).join(' '), {
      details: { problems: errors.map(({ code, path }) => ({ code, path })) },
    });
  }
  const { revision: voiceRevision, profile } = voice;
  const content = { voiceId, voiceRevision, profile, modelId, text, format: 'MP3_44100_128', speed: 1 } as const;
  const cached = await isCached(db, viewerId, contentHash(content));
  return {
    characters: text.length,
    credits: cached ? 0 : priceOf(text.length, microCredits(model.creditsPerCharacter)),
    chunks: planChunks(text).length,
    cached,
  };
}
