import { z } from 'zod';
import type { Person } from './test-tts.ts';

const errorSchema = z.looseObject({
  __typename: z.string(),
  code: z.string(),
  message: z.string(),
  path: z.array(z.string()).nullable(),
});

const startedSchema = z.object({
  generation: z.object({ id: z.string(), state: z.string(), cacheHit: z.boolean() }).nullable(),
  replayed: z.boolean(),
  errors: z.array(errorSchema),
});

const STARTED = `
  generation { id state cacheHit }
  replayed
  errors {
    __typename
    ... on UserError { code message path }
    ... on QuotaExceededError { required available resetsAt }
    ... on ConcurrencyLimitError { limit retryAfterMs }
    ... on VoiceNotReadyError { status }
  }`;

let keys = 0;

export interface SpeechInput {
  voiceId: string;
  text: string;
  idempotencyKey?: string;
  modelId?: string;
  format?: string;
  settings?: { speed: number };
  maxCredits?: number;
}

/** Orders speech with an idempotency key of its own unless one is given. */
export async function generate(person: Person, input: SpeechInput) {
  const { out } = await person.ask(
    `mutation ($input: GenerateSpeechInput!) { out: generateSpeech(input: $input) { ${STARTED} } }`,
    { input: { idempotencyKey: `key-${String((keys += 1))}`, modelId: 'local-1', ...input } },
    z.object({ out: startedSchema }),
  );
  return out;
}

/** Orders speech that is expected to be taken, and returns its id. */
export async function order(person: Person, input: SpeechInput): Promise<string> {
  const { generation, errors } = await generate(person, input);
  if (!generation) throw new Error(JSON.stringify(errors));
  return generation.id;
}

export async function retry(person: Person, id: string, idempotencyKey = `retry-${String((keys += 1))}`) {
  const { out } = await person.ask(
    `mutation ($id: ID!, $idempotencyKey: ID!) {
      out: retryFailedChunks(id: $id, idempotencyKey: $idempotencyKey) { ${STARTED} }
    }`,
    { id, idempotencyKey },
    z.object({ out: startedSchema }),
  );
  return out;
}

export async function cancel(person: Person, id: string) {
  const { out } = await person.ask(
    `mutation ($id: ID!) {
      out: cancelGeneration(id: $id) { generation { id state } errors { __typename code message path } }
    }`,
    { id },
    z.object({
      out: z.object({
        generation: z.object({ id: z.string(), state: z.string() }).nullable(),
        errors: z.array(errorSchema),
      }),
    }),
  );
  return out;
}

export async function remove(person: Person, ids: string[]) {
  const { out } = await person.ask(
    `mutation ($ids: [ID!]!) {
      out: deleteGenerations(ids: $ids) { deletedIds errors { __typename code message path } }
    }`,
    { ids },
    z.object({ out: z.object({ deletedIds: z.array(z.string()), errors: z.array(errorSchema) }) }),
  );
  return out;
}

export const tokenSchema = z.object({
  text: z.string(),
  charStart: z.number(),
  charEnd: z.number(),
  startMs: z.number(),
  endMs: z.number(),
});

const chunkSchema = z.object({
  index: z.number(),
  state: z.string(),
  charStart: z.number(),
  charEnd: z.number(),
  startMs: z.number().nullable(),
  endMs: z.number().nullable(),
  attempts: z.number(),
});

const progressSchema = z.object({
  charactersDone: z.number(),
  charactersTotal: z.number(),
  chunksDone: z.number(),
  chunksTotal: z.number(),
  queuePosition: z.number().nullable(),
});

const generationSchema = z.object({
  id: z.string(),
  state: z.string(),
  text: z.string(),
  characterCount: z.number(),
  format: z.string(),
  cacheHit: z.boolean(),
  voice: z.object({ id: z.string() }),
  model: z.object({ id: z.string() }).nullable(),
  owner: z.object({ id: z.string() }),
  createdAt: z.iso.datetime(),
  completedAt: z.iso.datetime().nullable(),
  progress: progressSchema,
  chunks: z.array(chunkSchema),
  audio: z
    .object({
      url: z.string(),
      expiresAt: z.iso.datetime(),
      durationMs: z.number(),
      sizeBytes: z.number(),
      sha256: z.string(),
    })
    .nullable(),
  failure: z.object({ code: z.string(), message: z.string(), retryable: z.boolean(), charged: z.boolean() }).nullable(),
  words: z.array(tokenSchema),
});

const CHUNK = 'index state charStart charEnd startMs endMs attempts';
const PROGRESS = 'charactersDone charactersTotal chunksDone chunksTotal queuePosition';
const TOKEN = 'text charStart charEnd startMs endMs';

/** Everything about a generation; null for what the person may not see. */
export async function read(person: Person, id: string) {
  const { out } = await person.ask(
    `query ($id: ID!) {
      out: generation(id: $id) {
        id state text characterCount format cacheHit createdAt completedAt
        voice { id } model { id } owner { id }
        progress { ${PROGRESS} }
        chunks(first: 500) { ${CHUNK} }
        audio { url expiresAt durationMs sizeBytes sha256 }
        failure { code message retryable charged }
        words: alignment(first: 5000) { ${TOKEN} }
      }
    }`,
    { id },
    z.object({ out: generationSchema.nullable() }),
  );
  return out;
}

const eventSchema = z.discriminatedUnion('__typename', [
  z.object({
    __typename: z.literal('GenerationProgressed'),
    sequence: z.number(),
    state: z.string(),
    progress: progressSchema,
  }),
  z.object({
    __typename: z.literal('GenerationChunkReady'),
    sequence: z.number(),
    chunk: chunkSchema,
    audioUrl: z.string(),
    tokens: z.array(tokenSchema),
  }),
  z.object({
    __typename: z.literal('GenerationFinished'),
    sequence: z.number(),
    state: z.string(),
    generation: z.object({ id: z.string(), state: z.string() }),
  }),
]);

export type TestEvent = z.infer<typeof eventSchema>;

/** The events of a generation, until the stream ends. */
export async function* events(person: Person, id: string, afterSequence = 0): AsyncGenerator<TestEvent> {
  const query = `subscription ($id: ID!, $afterSequence: Int!) {
    out: generationEvents(id: $id, afterSequence: $afterSequence) {
      __typename
      sequence
      ... on GenerationProgressed { state progress { ${PROGRESS} } }
      ... on GenerationChunkReady { chunk { ${CHUNK} } audioUrl tokens { ${TOKEN} } }
      ... on GenerationFinished { state generation { id state } }
    }
  }`;
  for await (const { out } of person.follow(query, { id, afterSequence }, z.object({ out: eventSchema }))) yield out;
}

export async function allEvents(person: Person, id: string, afterSequence = 0): Promise<TestEvent[]> {
  const all: TestEvent[] = [];
  for await (const event of events(person, id, afterSequence)) all.push(event);
  return all;
}
