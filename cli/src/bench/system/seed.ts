import { accounts, holds } from '@timbre/db/billing/tables';
import type { Db } from '@timbre/db/client';
import { generations, renderings } from '@timbre/db/tts/tables';
import { users } from '@timbre/db/users/tables';
import { consents, samples, voices } from '@timbre/db/voices/tables';
import { DEV_ISSUER, devSubject } from '@timbre/platform/dev-issuer';
import { newId } from '@timbre/platform/ids';
import type { PgTable } from 'drizzle-orm/pg-core';
import { z } from 'zod';
import type { BenchIssuer } from '../bench-issuer.ts';

export const seededPrincipalSchema = z.object({
  token: z.string(),
  userId: z.string(),
  /** READY, the newest first. */
  voices: z.array(z.string()),
  /** SUCCEEDED, the newest first. */
  generations: z.array(z.string()),
  /** Generations that wait for ever, and voices that are fitted for ever: nothing is queued for them. */
  queued: z.array(z.string()),
  processing: z.array(z.string()),
});

export type SeededPrincipal = z.output<typeof seededPrincipalSchema>;

export interface SeedOptions {
  db: Db;
  issuer: BenchIssuer;
  principals: number;
}

const VOICES = 8;
const SAMPLES = 3;
const GENERATIONS = 30;
const QUEUED = 10;
const PROCESSING = 5;
/** Nothing speaks with it here. */
const MODEL = 'local-1';
const CREDITS = 5_000_000;
const TEXT = 'It was a bright cold day in April, and the clocks were striking thirteen.';
const ROWS_AT_ONCE = 500;

/** People with voices and generations of their own, as if they had used the product for a while. */
export async function seed({ db, issuer, principals }: SeedOptions): Promise<SeededPrincipal[]> {
  const seeded: SeededPrincipal[] = [];
  const rows = emptyRows();
  for (let index = 0; index < principals; index++) {
    const email = `bench-${index}@timbre.local`;
    const userId = newId('usr');
    rows.users.push({ id: userId, issuer: DEV_ISSUER, subject: devSubject(email), email });
    rows.accounts.push({
      userId,
      planId: 'plan_enterprise',
      periodStart: new Date(Date.UTC(2020, 0)),
      periodEnd: new Date(Date.UTC(2099, 0)),
      creditLimit: CREDITS,
    });
    const made = addBelongings(rows, userId);
    seeded.push({ token: await issuer.sign({ email }), userId, ...made });
  }
  await insertAll(db, users, rows.users);
  await insertAll(db, accounts, rows.accounts);
  await insertAll(db, voices, rows.voices);
  await insertAll(db, samples, rows.samples);
  await insertAll(db, consents, rows.consents);
  await insertAll(db, renderings, rows.renderings);
  await insertAll(db, generations, rows.generations);
  await insertAll(db, holds, rows.holds);
  // So that the first minute is planned like the last.
  await db.execute('analyze');
  return seeded;
}

interface Rows {
  users: (typeof users.$inferInsert)[];
  accounts: (typeof accounts.$inferInsert)[];
  voices: (typeof voices.$inferInsert)[];
  samples: (typeof samples.$inferInsert)[];
  consents: (typeof consents.$inferInsert)[];
  renderings: (typeof renderings.$inferInsert)[];
  generations: (typeof generations.$inferInsert)[];
  holds: (typeof holds.$inferInsert)[];
}

const emptyRows = (): Rows => ({
  users: [],
  accounts: [],
  voices: [],
  samples: [],
  consents: [],
  renderings: [],
  generations: [],
  holds: [],
});

function addBelongings(rows: Rows, ownerId: string): Omit<SeededPrincipal, 'token' | 'userId'> {
  const ready = Array.from({ length: VOICES }, (_, index) => addReadyVoice(rows, ownerId, index));
  const processing = Array.from({ length: PROCESSING }, () => {
    const id = newId('voi');
    rows.voices.push({ id, ownerId, kind: 'CLONED_INSTANT', status: 'PROCESSING', name: 'Being fitted', fitting: 0.5 });
    return id;
  });
  // What waits for ever has long been waiting: what is new is what people look at, and it is done in seconds.
  const queued = Array.from({ length: QUEUED }, () =>
    addGeneration(rows, { ownerId, voiceId: ready[0] ?? '', done: false }),
  );
  const done = Array.from({ length: GENERATIONS }, (_, index) =>
    addGeneration(rows, { ownerId, voiceId: ready[index % VOICES] ?? '', done: true }),
  );
  return { voices: ready.toReversed(), processing, generations: done.toReversed(), queued };
}

function addReadyVoice(rows: Rows, ownerId: string, index: number): string {
  const id = newId('voi');
  rows.voices.push({
    id,
    ownerId,
    kind: 'CLONED_INSTANT',
    status: 'READY',
    name: `Voice ${index}`,
    description: 'A voice of the bench',
    languages: ['en-GB'],
    labels: [{ key: 'gender', value: 'female' }],
    profile: {},
    revision: 1,
    match: { f0ErrorSemitones: 0.2, rangeErrorSemitones: 0.4, paceRatio: 1.02, timbreBefore: 9.1, timbreAfter: 5.4 },
    createdAt: new Date(Date.now() + index),
  });
  for (let position = 0; position < SAMPLES; position++) {
    const file = { fileName: `sample-${position}.flac`, mimeType: 'audio/flac', sizeBytes: 250_000, durationMs: 9_000 };
    rows.samples.push({ id: newId('smp'), voiceId: id, ownerId, position, sha256: '0'.repeat(64), ...file });
  }
  const consent = { speakerName: 'Ada', statement: 'I agree.', locale: 'en', attested: true, recordedAt: new Date() };
  rows.consents.push({ voiceId: id, ownerId, state: 'ATTESTED', ...consent });
  return id;
}

interface NewGeneration {
  ownerId: string;
  voiceId: string;
  done: boolean;
}

function addGeneration(rows: Rows, { ownerId, voiceId, done }: NewGeneration): string {
  const id = newId('gen');
  const renderingId = `rnd_${id}`;
  const audio = { audioKey: `${ownerId}/${id}.mp3`, audioDurationMs: 4_200, audioSizeBytes: 67_000 };
  rows.renderings.push({
    id: renderingId,
    ownerId,
    contentHash: id,
    ...(done ? { ...audio, audioSha256: '0'.repeat(64), audioStoredAt: new Date(), sampleRate: 22_050 } : {}),
  });
  rows.generations.push({
    id,
    ownerId,
    renderingId,
    voiceId,
    voiceRevision: 1,
    modelId: MODEL,
    format: 'MP3_44100_128',
    speed: 1,
    text: TEXT,
    characters: TEXT.length,
    microCreditsPerCharacter: 500_000,
    state: done ? 'SUCCEEDED' : 'QUEUED',
    chunksTotal: 1,
    ...(done ? { chunksDone: 1, charactersDone: TEXT.length, completedAt: new Date() } : {}),
  });
  const price = Math.ceil(TEXT.length / 2);
  const settled = { state: 'COMMITTED', committed: price, settledAt: new Date() } as const;
  if (done)
    rows.holds.push({
      generationId: id,
      userId: ownerId,
      reserved: price,
      ttlSeconds: 60,
      expiresAt: new Date(),
      ...settled,
    });
  return id;
}

async function insertAll<T extends PgTable>(db: Db, table: T, rows: T['$inferInsert'][]): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    await db.insert(table).values(rows.slice(from, from + ROWS_AT_ONCE));
  }
}
