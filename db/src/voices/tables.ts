import { sql } from 'drizzle-orm';
import { boolean, check, index, integer, jsonb, real, text, timestamp, unique } from 'drizzle-orm/pg-core';
import { idempotencyTable } from '../idempotency.ts';
import { voicesSchema } from './schema.ts';

export { voicesSchema };

export const VOICE_KINDS = ['PREMADE', 'CLONED_INSTANT', 'CLONED_PROFESSIONAL', 'DESIGNED'] as const;
export const VOICE_STATUSES = [
  'AWAITING_UPLOAD',
  'AWAITING_CONSENT',
  'PROCESSING',
  'READY',
  'FAILED',
  'DELETING',
] as const;
export const CONSENT_STATES = ['MISSING', 'ATTESTED', 'VERIFIED', 'REVOKED', 'REJECTED'] as const;

export type VoiceKind = (typeof VOICE_KINDS)[number];
export type VoiceStatus = (typeof VOICE_STATUSES)[number];
export type ConsentState = (typeof CONSENT_STATES)[number];

export interface LabelValue {
  key: string;
  value: string;
}

export interface FailureValue {
  code: string;
  message: string;
  /** Whether finalizing once more, with another key, may help. */
  retryable: boolean;
}

/** Units as in the graph's `VoiceMatch`. */
export interface MatchValue {
  f0ErrorSemitones: number;
  rangeErrorSemitones: number;
  paceRatio: number;
  timbreBefore: number;
  timbreAfter: number;
}

/** An upload that was announced: what it is and must hash to. */
export interface RecordingValue {
  id: string;
  fileName: string;
  mimeType: string;
  sizeBytes: number;
  sha256: string;
}

/** Milliseconds, because that is what a keyset cursor and a JavaScript date can hold without loss. */
const moment = () => timestamp({ withTimezone: true, precision: 3, mode: 'date' });

const oneOf = (column: string, values: readonly string[]) =>
  sql.raw(`"${column}" in (${values.map((value) => `'${value}'`).join(', ')})`);

export const voices = voicesSchema.table(
  'voices',
  {
    id: text().primaryKey(),
    /** A user's id; null for a library voice, which anyone may use. */
    ownerId: text(),
    kind: text({ enum: VOICE_KINDS }).notNull(),
    status: text({ enum: VOICE_STATUSES }).notNull(),
    name: text().notNull(),
    description: text(),
    /** BCP 47 tags. */
    languages: text().array().notNull().default([]),
    labels: jsonb().$type<LabelValue[]>().notNull().default([]),
    /** The speech package's `VoiceProfile`; null until READY. Parsed by whoever speaks with it. */
    profile: jsonb().$type<unknown>(),
    /** Grows with every new profile, so that whatever was made with an older one can be told apart. */
    revision: integer().notNull().default(0),
    match: jsonb().$type<MatchValue>(),
    /** 0 to 1 while PROCESSING, null otherwise. */
    fitting: real(),
    failure: jsonb().$type<FailureValue>(),
    previewKey: text(),
    createdAt: moment().notNull().defaultNow(),
    updatedAt: moment().notNull().defaultNow(),
  },
  (t) => [
    check('voices_kind', oneOf('kind', VOICE_KINDS)),
    check('voices_status', oneOf('status', VOICE_STATUSES)),
    check('voices_owner', sql`(${t.ownerId} is null) = (${t.kind} = 'PREMADE')`),
    check('voices_ready', sql`${t.status} <> 'READY' or ${t.profile} is not null`),
    check('voices_failed', sql`${t.status} = 'DELETING' or (${t.status} = 'FAILED') = (${t.failure} is not null)`),
    index('voices_by_owner')
      .on(t.ownerId, t.createdAt, t.id)
      .where(sql`${t.ownerId} is not null and ${t.status} <> 'DELETING'`),
    index('voices_library')
      .on(t.createdAt, t.id)
      .where(sql`${t.ownerId} is null`),
    // The sweeps look at what stands still, never at the READY many.
    index('voices_unsettled')
      .on(t.status, t.updatedAt)
      .where(sql`${t.status} in ('AWAITING_UPLOAD', 'AWAITING_CONSENT', 'PROCESSING', 'DELETING')`),
  ],
);

export const samples = voicesSchema.table(
  'samples',
  {
    id: text().primaryKey(),
    voiceId: text()
      .notNull()
      .references(() => voices.id, { onDelete: 'cascade' }),
    ownerId: text().notNull(),
    /** From 0, in the order they were announced. */
    position: integer().notNull(),
    fileName: text().notNull(),
    mimeType: text().notNull(),
    sizeBytes: integer().notNull(),
    /** Lower-case hex. */
    sha256: text().notNull(),
    /** Known once it was decoded. */
    durationMs: integer(),
  },
  (t) => [unique('samples_in_order').on(t.voiceId, t.position)],
);

export const consents = voicesSchema.table(
  'consents',
  {
    /** One consent per voice, the one submitted last. */
    voiceId: text()
      .primaryKey()
      .references(() => voices.id, { onDelete: 'cascade' }),
    ownerId: text().notNull(),
    state: text({ enum: CONSENT_STATES }).notNull(),
    speakerName: text().notNull(),
    statement: text().notNull(),
    /** BCP 47, the statement's. */
    locale: text().notNull(),
    attested: boolean().notNull(),
    recording: jsonb().$type<RecordingValue>(),
    recordedAt: moment().notNull(),
    verifiedAt: moment(),
  },
  () => [check('consents_state', oneOf('state', CONSENT_STATES))],
);

export const voicesIdempotency = idempotencyTable(voicesSchema);
