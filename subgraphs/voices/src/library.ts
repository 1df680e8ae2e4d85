import type { Db } from '@timbre/db/client';
import { voices, type LabelValue } from '@timbre/db/voices/tables';
import { LocalVoiceProfile, type VoiceProfile } from '@timbre/speech/engine';
import { and, eq, isNull, sql } from 'drizzle-orm';
import { libraryPreviewKey } from './services/object-keys.ts';

interface Sound {
  variant: string;
  pitch: number;
  range: number;
  rate: number;
  formantShift?: number;
}

interface LibraryVoice {
  /** Never to be given to another voice: clients keep it. */
  id: string;
  name: string;
  description: string;
  language: string;
  labels: LabelValue[];
  profile: VoiceProfile;
}

/** The built-in voices, in the order in which the library shows them. */
export const LIBRARY: readonly LibraryVoice[] = [
  entry(1, 'Ava', 'Clear and friendly; for assistants and explanations.', 'en-US', ['female', 'young', 'American'], {
    variant: 'f2',
    pitch: 58,
    range: 55,
    rate: 172,
  }),
  entry(2, 'Marcus', 'Low and unhurried; for narration.', 'en-US', ['male', 'middle-aged', 'American'], {
    variant: 'm3',
    pitch: 38,
    range: 42,
    rate: 158,
    formantShift: 0.95,
  }),
  entry(
    3,
    'Beatrice',
    'Crisp, with a smile; for news and instructions.',
    'en-GB',
    ['female', 'middle-aged', 'British'],
    {
      variant: 'f3',
      pitch: 52,
      range: 60,
      rate: 168,
    },
  ),
  entry(4, 'Alistair', 'Dry and warm; for stories.', 'en-GB-scotland', ['male', 'old', 'Scottish'], {
    variant: 'm2',
    pitch: 34,
    range: 58,
    rate: 152,
    formantShift: 0.97,
  }),
  entry(5, 'Lukas', 'Sachlich und ruhig.', 'de', ['male', 'young', 'German'], {
    variant: 'm1',
    pitch: 42,
    range: 45,
    rate: 160,
  }),
  entry(6, 'Céline', 'Claire et posée.', 'fr-FR', ['female', 'young', 'French'], {
    variant: 'f1',
    pitch: 56,
    range: 52,
    rate: 170,
  }),
  entry(7, 'Lucía', 'Alegre y cercana.', 'es-419', ['female', 'young', 'Latin American'], {
    variant: 'f4',
    pitch: 60,
    range: 64,
    rate: 174,
  }),
  entry(8, 'Giulia', 'Vivace e chiara.', 'it', ['female', 'middle-aged', 'Italian'], {
    variant: 'f2',
    pitch: 54,
    range: 66,
    rate: 170,
    formantShift: 1.03,
  }),
  entry(9, 'Rafael', 'Caloroso e tranquilo.', 'pt-BR', ['male', 'middle-aged', 'Brazilian'], {
    variant: 'm4',
    pitch: 40,
    range: 50,
    rate: 162,
  }),
];

const FIRST_CREATED = Date.UTC(2025, 0, 1);

function entry(
  number: number,
  name: string,
  description: string,
  language: string,
  [gender = '', age = '', accent = '']: string[],
  sound: Sound,
): LibraryVoice {
  return {
    id: `voi_01941f29-7c00-7000-8000-${String(number).padStart(12, '0')}`,
    name,
    description,
    language,
    labels: [
      { key: 'gender', value: gender },
      { key: 'age', value: age },
      { key: 'accent', value: accent },
    ],
    profile: LocalVoiceProfile.parse({ engine: 'local', language, ...sound }),
  };
}

/**
 * Brings the library up to date; any number of processes may do it at once. A voice whose sound has
 * changed gets the next revision and loses its preview. Voices that left the list stay: somebody's
 * speech was made with them. True where something has changed.
 */
export async function upsertLibrary(db: Db): Promise<boolean> {
  const rows = LIBRARY.map(({ id, name, description, language, labels, profile }, index) => ({
    id,
    ownerId: null,
    kind: 'PREMADE' as const,
    status: 'READY' as const,
    name,
    description,
    languages: [language],
    labels,
    profile,
    revision: 1,
    // Lists show the newest first.
    createdAt: new Date(FIRST_CREATED - index * 1000),
  }));
  const changed = sql`${voices.profile} is distinct from excluded.profile`;
  const written = await db
    .insert(voices)
    .values(rows)
    .onConflictDoUpdate({
      target: voices.id,
      set: {
        name: sql`excluded.name`,
        description: sql`excluded.description`,
        languages: sql`excluded.languages`,
        labels: sql`excluded.labels`,
        profile: sql`excluded.profile`,
        revision: sql`case when ${changed} then ${voices.revision} + 1 else ${voices.revision} end`,
        previewKey: sql`case when ${changed} then null else ${voices.previewKey} end`,
      },
      setWhere: sql`(${voices.name}, ${voices.description}, ${voices.languages}, ${voices.labels}, ${voices.profile})
        is distinct from (excluded.name, excluded.description, excluded.languages, excluded.labels, excluded.profile)`,
    })
    .returning({ id: voices.id });
  return written.length > 0;
}

export interface SilentVoice {
  id: string;
  profile: unknown;
  revision: number;
  previewKey: string;
}

/** Library voices without a preview, each with the key under which it belongs. */
export async function libraryWithoutPreview(db: Db): Promise<SilentVoice[]> {
  const rows = await db
    .select({ id: voices.id, profile: voices.profile, revision: voices.revision })
    .from(voices)
    .where(and(isNull(voices.ownerId), isNull(voices.previewKey)));
  return rows.map((row) => ({ ...row, previewKey: libraryPreviewKey(row.id, row.revision) }));
}

export async function writeLibraryPreview(db: Db, { id, revision, previewKey }: SilentVoice): Promise<void> {
  await db
    .update(voices)
    .set({ previewKey })
    .where(and(eq(voices.id, id), isNull(voices.ownerId), eq(voices.revision, revision)));
}
