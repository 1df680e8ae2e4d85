import { and, eq, ilike, isNotNull, isNull, or, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { voices, type VoiceKind, type VoiceStatus } from '@timbre/db/voices/tables';

/** Whose voices a query may see: the library's alone, one person's alone, or what that person may use. */
export type Visibility =
  | { of: 'library' }
  | { of: 'owner'; viewerId: string }
  | { of: 'viewer'; viewerId: string | null };

export interface VoiceFilterValue {
  kind?: VoiceKind;
  status?: VoiceStatus;
  /** Part of the name or description, in any case. */
  search?: string;
  /** A BCP 47 tag; a shorter one takes in the longer (`en` finds `en-GB`). */
  language?: string;
}

export interface VoiceScope {
  visibility: Visibility;
  filter: VoiceFilterValue;
}

/** In a statement that is prepared for all viewers, the viewer is a placeholder. */
type Seen =
  | { of: 'library' }
  | { of: 'owner'; viewerId: string | Placeholder }
  | { of: 'viewer'; viewerId: string | Placeholder | null };

/** Every query on voices goes through here, so that none forgets its viewer. A voice being deleted is gone for all. */
export function visible(visibility: Seen): SQL | undefined {
  const library = isNull(voices.ownerId);
  // Written out: with a parameter in its place, PostgreSQL cannot tell that the index of an owner's voices will do.
  const alive = sql`${voices.status} <> 'DELETING'`;
  if (visibility.of === 'owner') return and(isNotNull(voices.ownerId), eq(voices.ownerId, visibility.viewerId), alive);
  if (visibility.of === 'library' || visibility.viewerId === null) return and(library, alive);
  return and(or(library, eq(voices.ownerId, visibility.viewerId)), alive);
}

export function within({ visibility, filter }: VoiceScope): SQL | undefined {
  const { kind, status, search, language } = filter;
  const pattern = search === undefined ? undefined : `%${escapeLike(search)}%`;
  return and(
    visible(visibility),
    kind === undefined ? undefined : eq(voices.kind, kind),
    status === undefined ? undefined : eq(voices.status, status),
    pattern === undefined ? undefined : or(ilike(voices.name, pattern), ilike(voices.description, pattern)),
    language === undefined ? undefined : speaks(language.toLowerCase()),
  );
}

function speaks(language: string): SQL {
  return sql`exists (
    select 1 from unnest(${voices.languages}) as spoken
    where lower(spoken) = ${language} or starts_with(lower(spoken), ${`${language}-`})
  )`;
}

function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (character) => `\\${character}`);
}
