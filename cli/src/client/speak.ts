import { randomUUID } from 'node:crypto';
import {
  GenerateSpeechDocument,
  GenerationEventsDocument,
  type AudioFormat,
  type GenerationEventsSubscription,
} from '../generated/graphql.ts';
import type { GraphClient } from './graph-client.ts';
import { refuse } from './refuse.ts';

export type GenerationEvent = NonNullable<GenerationEventsSubscription['generationEvents']>;

interface SpeechRequest {
  voiceId: string;
  modelId: string;
  text: string;
  format?: AudioFormat;
}

/**
 * Orders speech and returns the generation's id.
 *
 * @throws UserErrors when the graph refuses it (quota, voice, text …)
 */
export async function orderSpeech(client: GraphClient, request: SpeechRequest): Promise<string> {
  const { generateSpeech: ordered } = await client.execute(GenerateSpeechDocument, {
    input: { idempotencyKey: randomUUID(), ...request },
  });
  refuse(ordered?.errors);
  if (!ordered?.generation) throw new Error('generateSpeech answered without a generation.');
  return ordered.generation.id;
}

/** Follows a generation's events to its end, from the first one after `afterSequence`. */
export async function* followGeneration(
  client: GraphClient,
  id: string,
  afterSequence = 0,
): AsyncGenerator<GenerationEvent> {
  for await (const { generationEvents: event } of client.subscribe(GenerationEventsDocument, { id, afterSequence })) {
    if (event) yield event;
  }
}
