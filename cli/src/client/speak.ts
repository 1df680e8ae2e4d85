import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  GenerateSpeechDocument,
  GenerationEventsDocument,
  type AudioFormat,
  type GenerationEventsSubscription,
} from '../generated/graphql.ts';
import { ConnectionLost, GraphError, type GraphClient } from './graph-client.ts';
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

const RETRY_MS = 250;
const GIVE_UP_MS = 60_000;

/**
 * Follows a generation's events to its end, from the first one after `afterSequence`. When the connection is lost it
 * asks again for what comes after the last event seen, so that nothing is missed and nothing comes twice.
 *
 * @throws GraphError; ConnectionLost when a minute of asking again did not help
 */
export async function* followGeneration(
  client: GraphClient,
  id: string,
  afterSequence = 0,
): AsyncGenerator<GenerationEvent> {
  let lastSequence = afterSequence;
  let giveUpAt = performance.now() + GIVE_UP_MS;
  for (;;) {
    try {
      const events = client.subscribe(GenerationEventsDocument, { id, afterSequence: lastSequence });
      for await (const { generationEvents: event } of events) {
        if (!event) continue;
        lastSequence = event.sequence;
        giveUpAt = performance.now() + GIVE_UP_MS;
        yield event;
      }
      return;
    } catch (error) {
      if (!isPassing(error) || performance.now() > giveUpAt) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/** A lost connection, or a part of the graph that is just being started again. */
function isPassing(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true;
  return error instanceof GraphError && error.codes.some((code) => code.endsWith('_UNAVAILABLE'));
}
