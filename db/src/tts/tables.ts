import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import { idempotencyTable } from '../idempotency.ts';
import { ttsSchema } from './schema.ts';

export { ttsSchema };

export const GENERATION_STATES = ['QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIALLY_FAILED', 'FAILED', 'CANCELED'] as const;
export type GenerationState = (typeof GENERATION_STATES)[number];

export const AUDIO_FORMATS = [
  'MP3_44100_128',
  'MP3_22050_64',
  'OGG_VORBIS_44100',
  'WAV_44100',
  'PCM_22050',
  'ULAW_8000',
] as const;

export const GENERATION_EVENT_KINDS = ['PROGRESSED', 'CHUNK_READY', 'FINISHED'] as const;
export type GenerationEventKind = (typeof GENERATION_EVENT_KINDS)[number];

/** [charStart, charEnd, startSample, endSample]: UTF-16 offsets into the generation's text, samples into the chunk. */
export type WordTuple = [number, number, number, number];

/** What an event shows of the moment it was written at; the row it speaks of may have moved on. */
export type GenerationEventPayload =
  | {
      state: GenerationState;
      charactersDone: number;
      charactersTotal: number;
      chunksDone: number;
      chunksTotal: number;
      queuePosition: number | null;
    }
  | { index: number; attempts: number; startSample: number; sampleCount: number; sampleRate: number }
  | { state: GenerationState };

const instant = () => timestamp({ withTimezone: true, precision: 3 });
const states = sql.raw(GENERATION_STATES.map((state) => `'${state}'`).join(', '));

/**
 * The sound of one text in one voice and format: made by one generation, shared by those that the cache answers, gone
 * with the last of them.
 */
export const renderings = ttsSchema.table(
  'renderings',
  {
    id: text().primaryKey(),
    ownerId: text().notNull(),
    /** Content address within the tenant: voice, revision, model, text, format and settings. */
    contentHash: text().notNull(),
    /** Of the chunks' sound, Hz; null until the first chunk is there. */
    sampleRate: integer(),
    /** Chunks from the beginning on whose place in the joined sound is known, and how many samples they are together. */
    joinedChunks: integer().notNull().default(0),
    joinedSamples: integer().notNull().default(0),
    audioKey: text(),
    audioDurationMs: integer(),
    audioSizeBytes: bigint({ mode: 'number' }),
    audioSha256: text(),
    audioStoredAt: instant(),
    /** Once set, the chunks' own objects are gone and only the whole is left. */
    chunkAudioDiscardedAt: instant(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    index('renderings_chunk_audio')
      .on(t.audioStoredAt)
      .where(sql`chunk_audio_discarded_at is null and audio_stored_at is not null`),
    check(
      'renderings_audio',
      sql`num_nonnulls(${t.audioKey}, ${t.audioDurationMs}, ${t.audioSizeBytes}, ${t.audioSha256}, ${t.audioStoredAt}) in (0, 5)`,
    ),
  ],
);

export const generations = ttsSchema.table(
  'generations',
  {
    id: text().primaryKey(),
    ownerId: text().notNull(),
    renderingId: text()
      .notNull()
      .references(() => renderings.id),
    voiceId: text().notNull(),
    /** The voice's revision at the request: a voice that changes under way is not mixed into one piece of speech. */
    voiceRevision: integer().notNull(),
    modelId: text().notNull(),
    format: text({ enum: AUDIO_FORMATS }).notNull(),
    speed: doublePrecision().notNull(),
    text: text().notNull(),
    /** UTF-16 code units of `text`. */
    characters: integer().notNull(),
    /** Price of one character in millionths of a credit: integers, so that no rounding depends on the order of sums. */
    microCreditsPerCharacter: integer().notNull(),
    state: text({ enum: GENERATION_STATES }).notNull(),
    cacheHit: boolean().notNull().default(false),
    chunksTotal: integer().notNull(),
    chunksDone: integer().notNull().default(0),
    charactersDone: integer().notNull().default(0),
    /** Of the newest event; the row's lock is what allots the next one. */
    lastSequence: integer().notNull().default(0),
    /** Names the run that may write; a worker that was taken for dead finds another's name here and stops. */
    runToken: text(),
    /** How many times a worker began or resumed it. */
    runs: integer().notNull().default(0),
    failureCode: text(),
    failureMessage: text(),
    failureRetryable: boolean(),
    createdAt: instant().notNull().defaultNow(),
    startedAt: instant(),
    completedAt: instant(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    index('generations_owner').on(t.ownerId, t.id),
    index('generations_owner_voice').on(t.ownerId, t.voiceId, t.id),
    index('generations_active')
      .on(t.ownerId, t.id)
      .where(sql`state in ('QUEUED', 'RUNNING')`),
    index('generations_rendering').on(t.renderingId),
    check('generations_state', sql`${t.state} in (${states})`),
    check('generations_done', sql`${t.chunksDone} <= ${t.chunksTotal} and ${t.charactersDone} <= ${t.characters}`),
    check('generations_completed', sql`(${t.completedAt} is null) = (${t.state} in ('QUEUED', 'RUNNING'))`),
  ],
);

export const chunks = ttsSchema.table(
  'chunks',
  {
    renderingId: text()
      .notNull()
      .references(() => renderings.id, { onDelete: 'cascade' }),
    index: integer().notNull(),
    charStart: integer().notNull(),
    charEnd: integer().notNull(),
    state: text({ enum: GENERATION_STATES }).notNull().default('QUEUED'),
    /** Times that speaking it was begun, the interrupted ones included. */
    attempts: integer().notNull().default(0),
    failureCode: text(),
    failureMessage: text(),
    failureRetryable: boolean(),
    audioKey: text(),
    sampleCount: integer(),
    words: jsonb().$type<WordTuple[]>(),
    /** Where it begins in the joined sound; known once everything before it is there. */
    startSample: integer(),
    /** Whether its CHUNK_READY event was written. */
    announced: boolean().notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.renderingId, t.index] }),
    check('chunks_state', sql`${t.state} in (${states})`),
    check(
      'chunks_sound',
      sql`${t.state} <> 'SUCCEEDED' or num_nonnulls(${t.audioKey}, ${t.sampleCount}, ${t.words}) = 3`,
    ),
    check('chunks_range', sql`${t.charStart} < ${t.charEnd}`),
  ],
);

/** Append-only: 1, 2, 3 … per generation, written in the transaction that makes the change. */
export const events = ttsSchema.table(
  'events',
  {
    generationId: text()
      .notNull()
      .references(() => generations.id, { onDelete: 'cascade' }),
    sequence: integer().notNull(),
    kind: text({ enum: GENERATION_EVENT_KINDS }).notNull(),
    payload: jsonb().$type<GenerationEventPayload>().notNull(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.generationId, t.sequence] }),
    check('events_kind', sql`${t.kind} in ('PROGRESSED', 'CHUNK_READY', 'FINISHED')`),
  ],
);

/** Finished sound by content, per tenant: one tenant's request never finds another's. */
export const audioCache = ttsSchema.table(
  'audio_cache',
  {
    ownerId: text().notNull(),
    contentHash: text().notNull(),
    renderingId: text()
      .notNull()
      .references(() => renderings.id, { onDelete: 'cascade' }),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.ownerId, t.contentHash] }), index('audio_cache_rendering').on(t.renderingId)],
);

export const ttsIdempotency = idempotencyTable(ttsSchema);
