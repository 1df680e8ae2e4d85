import { readEntitlements } from '@timbre/db/billing/read-entitlements';
import type { Tx } from '@timbre/db/client';
import { readSpeakableVoice } from '@timbre/db/voices/read-speakable-voice';
import { AppError } from '@timbre/platform/errors';
import { readChunksFrom, requeueFailedChunks } from '../repos/chunks.ts';
import { appendEvents } from '../repos/events.ts';
import { lockOwnGenerations, lockTenant, updateGeneration } from '../repos/generations.ts';
import { updateRendering } from '../repos/renderings.ts';
import { admit, type Spender } from './admit.ts';
import type { Deps } from './deps.ts';
import { checkVoice, startOnce, type Started } from './generate-speech.ts';
import { priceOf } from './price.ts';
import { invalid, Refusal } from './refusal.ts';
import { progressEvent } from './transitions.ts';

/**
 * Does the failed chunks of a generation again, with a new hold for what they cost; chunks that are done stay as they
 * are. The generation's events go on behind its GenerationFinished.
 * @throws AppError ENGINE_UNAVAILABLE where there is nothing to speak with.
 */
export async function retryFailedChunks(deps: Deps, spender: Spender, id: string, key: string): Promise<Started> {
  const call = { operation: 'retryFailedChunks', key, keyPath: ['idempotencyKey'], input: { id } };
  return startOnce(deps, spender.userId, call, (tx) => restart(deps, tx, spender, id));
}

async function restart({ jobs, models }: Deps, tx: Tx, spender: Spender, id: string): Promise<string> {
  const { userId: viewerId } = spender;
  if (models().length === 0) throw new AppError('ENGINE_UNAVAILABLE', 'No speech engine is installed here.');
  // Tenant before generation: the order in which `admit` is reached from everywhere.
  await lockTenant(tx, viewerId);
  const generation = (await lockOwnGenerations(tx, viewerId, [id])).get(id);
  if (!generation) throw new Refusal([invalid('GENERATION_NOT_FOUND', 'There is no such generation.', ['id'])]);
  if (generation.state !== 'FAILED' && generation.state !== 'PARTIALLY_FAILED') {
    const message = `Only failed chunks can be done again; the generation is ${generation.state}.`;
    throw new Refusal([invalid('GENERATION_NOT_FAILED', message, ['id'])]);
  }
  const voice = await readSpeakableVoice(tx, viewerId, generation.voiceId);
  const refused = checkVoice(voice, ['id']);
  if (refused.length > 0) throw new Refusal(refused);
  if (voice?.revision !== generation.voiceRevision) {
    const message = 'The voice has changed since: the rest would sound like another speaker. Generate the whole again.';
    throw new Refusal([invalid('VOICE_CHANGED', message, ['id'])]);
  }
  const { characters, charactersDone, microCreditsPerCharacter: rate, renderingId } = generation;
  const { plan } = await readEntitlements(tx, viewerId);
  const credits = priceOf(characters, rate) - priceOf(charactersDone, rate);
  const queued = await admit(tx, { spender, generationId: id, credits, plan });

  const [first] = await requeueFailedChunks(tx, renderingId);
  if (first !== undefined) {
    const kept = await readChunksFrom(tx, renderingId, 0, first);
    const joinedSamples = kept.reduce((sum, chunk) => sum + (chunk.sampleCount ?? 0), 0);
    await updateRendering(tx, renderingId, { joinedChunks: first, joinedSamples });
  }
  await updateGeneration(tx, id, {
    state: 'QUEUED',
    runToken: null,
    completedAt: null,
    failureCode: null,
    failureMessage: null,
    failureRetryable: null,
  });
  await appendEvents(tx, id, [progressEvent(generation, 'QUEUED', queued)]);
  await jobs.enqueue(tx, 'tts.generate', { generationId: id }, { group: { id: viewerId, tier: plan.id } });
  return id;
}
