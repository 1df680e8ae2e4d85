import { randomUUID } from 'node:crypto';
import { readEntitlements } from '@timbre/db/billing/read-entitlements';
import type { Plan } from '@timbre/db/billing/plans';
import type { Tx } from '@timbre/db/client';
import { withIdempotency } from '@timbre/db/idempotency';
import { ttsIdempotency } from '@timbre/db/tts/tables';
import { readSpeakableVoice, type SpeakableVoice } from '@timbre/db/voices/read-speakable-voice';
import { AppError } from '@timbre/platform/errors';
import { newId } from '@timbre/platform/ids';
import type { SpeechModel } from '@timbre/speech/engine';
import { z } from 'zod';
import { readChunksFrom } from '../repos/chunks.ts';
import { appendEvents, type EventDraft } from '../repos/events.ts';
import { insertGeneration } from '../repos/generations.ts';
import { insertQueuedGeneration } from '../repos/queue-generation.ts';
import { lockCachedRendering } from '../repos/renderings.ts';
import type { RenderingRow } from '../rows.ts';
import { admit, type Spender } from './admit.ts';
import { contentHash } from './content-hash.ts';
import type { Deps } from './deps.ts';
import { notify } from './notify.ts';
import { planChunks } from './plan-chunks.ts';
import { microCredits, priceOf } from './price.ts';
import { invalid, Refusal, type Refused } from './refusal.ts';
import { progressEvent } from './transitions.ts';
import { checkIdempotencyKey, checkRequest, type SpeechRequest } from './validate-speech.ts';

export interface GenerateRequest extends SpeechRequest {
  idempotencyKey: string;
  voiceId: string;
}

/** What a mutation that starts work answers: a generation or reasons why there is none. */
export interface Started {
  generationId: string | null;
  replayed: boolean;
  errors: readonly Refused[];
}

const startedResult = z.object({ generationId: z.string() });

/**
 * Starts a generation, or finds its sound in the tenant's cache. Rows, hold and job are made in one transaction; a
 * refusal leaves nothing behind, not even the idempotency key.
 * @throws AppError ENGINE_UNAVAILABLE where there is nothing to speak with.
 */
export async function generateSpeech(deps: Deps, spender: Spender, request: GenerateRequest): Promise<Started> {
  const { idempotencyKey: key, ...input } = request;
  const call = { operation: 'generateSpeech', key, keyPath: ['input', 'idempotencyKey'], input };
  return startOnce(deps, spender.userId, call, (tx) => start(deps, tx, spender, request));
}

interface StartCall {
  operation: string;
  key: string;
  /** Where the key stands in the mutation's arguments. */
  keyPath: readonly string[];
  input: unknown;
}

/** Runs `work` under an idempotency key in one transaction and turns refusals into what the payload says. */
export async function startOnce(
  deps: Deps,
  viewerId: string,
  { keyPath, ...call }: StartCall,
  work: (tx: Tx) => Promise<string>,
): Promise<Started> {
  const badKey = checkIdempotencyKey(call.key, keyPath);
  if (badKey.length > 0) return { generationId: null, replayed: false, errors: badKey };
  try {
    const outcome = await deps.db.transaction((tx) =>
      withIdempotency(tx, ttsIdempotency, { ...call, userId: viewerId, result: startedResult }, async () => ({
        result: { generationId: await work(tx) },
        remember: true,
      })),
    );
    if (outcome.kind === 'conflict')
      return { generationId: null, replayed: false, errors: [conflict(call.key, keyPath)] };
    const { generationId } = outcome.result;
    if (!outcome.replayed) await notify(deps, { generation: { id: generationId, ownerId: viewerId }, quota: true });
    return { generationId, replayed: outcome.replayed, errors: [] };
  } catch (error) {
    if (error instanceof Refusal) return { generationId: null, replayed: false, errors: error.errors };
    throw error;
  }
}

function conflict(key: string, path: readonly string[]): Refused {
  return {
    __typename: 'IdempotencyConflictError',
    code: 'IDEMPOTENCY_CONFLICT',
    message: `The idempotency key ${JSON.stringify(key)} was used before with another input.`,
    path: [...path],
  };
}

async function start(deps: Deps, tx: Tx, spender: Spender, request: GenerateRequest): Promise<string> {
  const { userId: viewerId } = spender;
  const models = deps.models();
  if (models.length === 0) throw new AppError('ENGINE_UNAVAILABLE', 'No speech engine is installed here.');
  const { plan } = await readEntitlements(tx, viewerId);
  const voice = await readSpeakableVoice(tx, viewerId, request.voiceId);
  const errors = [...checkRequest(request, planLimits(plan), models), ...checkVoice(voice, ['input', 'voiceId'])];
  const model = models.find(({ id }) => id === request.modelId);
  if (errors.length > 0 || !voice || !model) throw new Refusal(errors);

  const hash = contentHash({ ...request, voiceRevision: voice.revision, profile: voice.profile });
  const cached = await lockCachedRendering(tx, viewerId, hash);
  const generation = {
    id: newId('gen'),
    ownerId: viewerId,
    voiceId: voice.id,
    voiceRevision: voice.revision,
    modelId: model.id,
    format: request.format,
    speed: request.speed,
    text: request.text,
    characters: request.text.length,
    microCreditsPerCharacter: microCredits(model.creditsPerCharacter),
  };
  if (cached) return insertCached(tx, generation, cached);

  const credits = priceOf(generation.characters, generation.microCreditsPerCharacter);
  if (request.maxCredits !== null && credits > request.maxCredits)
    throw new Refusal([tooDear(credits, request, model)]);
  // Before the tenant's lock is taken: a long text takes a while to split.
  const ranges = planChunks(request.text).map(({ start: charStart, end: charEnd }) => ({ charStart, charEnd }));
  const queued = await admit(tx, { spender, generationId: generation.id, credits, plan });
  return insertQueued(deps, tx, generation, { ranges, queued, plan, hash });
}

export function planLimits({ tier, maxCharacters, formats }: Plan) {
  return { name: tier, maxCharacters, formats };
}

/** A missing voice and a stranger's answer alike. */
export function checkVoice(voice: SpeakableVoice | null, path: readonly string[]): Refused[] {
  if (!voice) return [invalid('VOICE_NOT_FOUND', 'There is no such voice.', path)];
  if (voice.status === 'READY') return [];
  return [
    {
      __typename: 'VoiceNotReadyError',
      code: 'VOICE_NOT_READY',
      message: `The voice cannot speak: it is ${voice.status}.`,
      path: [...path],
      status: voice.status,
    },
  ];
}

function tooDear(credits: number, request: GenerateRequest, model: SpeechModel): Refused {
  const price = `${String(request.text.length)} characters cost ${String(credits)} credits with ${model.id}`;
  return invalid('MAX_CREDITS_EXCEEDED', `${price}; maxCredits is ${String(request.maxCredits)}.`, [
    'input',
    'maxCredits',
  ]);
}

type NewGeneration = Omit<
  Parameters<typeof insertGeneration>[1],
  'state' | 'renderingId' | 'chunksTotal' | 'chunksDone' | 'charactersDone' | 'cacheHit' | 'completedAt'
>;

interface Queueing {
  ranges: readonly { charStart: number; charEnd: number }[];
  /** The tenant's generations that are queued before it. */
  queued: number;
  plan: Plan;
  hash: string;
}

async function insertQueued(
  { jobs }: Deps,
  tx: Tx,
  generation: NewGeneration,
  { ranges, queued, plan, hash }: Queueing,
): Promise<string> {
  const { id, ownerId, characters } = generation;
  const renderingId = randomUUID();
  const counters = { characters, charactersDone: 0, chunksDone: 0, chunksTotal: ranges.length };
  await insertQueuedGeneration(tx, {
    rendering: { id: renderingId, ownerId, contentHash: hash },
    generation: { ...generation, renderingId, state: 'QUEUED', chunksTotal: ranges.length },
    ranges,
    event: progressEvent(counters, 'QUEUED', queued),
  });
  await jobs.enqueue(tx, 'tts.generate', { generationId: id }, { group: { id: ownerId, tier: plan.id } });
  return id;
}

/** The same events as of a generation that was spoken, all at once: a client needs no second way to play it. */
async function insertCached(tx: Tx, generation: NewGeneration, rendering: RenderingRow): Promise<string> {
  const { id, characters } = generation;
  const chunks = await readChunksFrom(tx, rendering.id, 0, characters);
  const done = { chunksTotal: chunks.length, chunksDone: chunks.length, charactersDone: characters };
  await insertGeneration(tx, {
    ...generation,
    ...done,
    renderingId: rendering.id,
    state: 'SUCCEEDED',
    cacheHit: true,
    completedAt: new Date(),
  });
  const sampleRate = rendering.sampleRate ?? 0;
  await appendEvents(tx, id, [
    ...chunks.map(({ index, attempts, startSample, sampleCount }): EventDraft => {
      const place = { startSample: startSample ?? 0, sampleCount: sampleCount ?? 0, sampleRate };
      return { kind: 'CHUNK_READY', payload: { index, attempts, ...place } };
    }),
    { kind: 'FINISHED', payload: { state: 'SUCCEEDED' } },
  ]);
  return id;
}
