import type { Db } from '@timbre/db/client';
import { updateDisplayName } from '../repos/users.ts';
import type { UserRow } from '../rows.ts';

export interface ProfileChange {
  /** Absent leaves it, null takes it away. */
  displayName?: string | null;
}

export interface Refusal {
  message: string;
  code: string;
  path: string[];
}

export interface ProfileResult {
  user: UserRow | null;
  errors: Refusal[];
}

const MAX_GRAPHEMES = 80;
/** A grapheme may be arbitrarily many code units; a family emoji has 11, a name's never this many. */
const MAX_CODE_UNITS = 1000;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** @throws nothing for what the caller can mend: that is in `errors`. */
export async function updateProfile(db: Db, viewer: UserRow, change: ProfileChange): Promise<ProfileResult> {
  if (change.displayName === undefined) return { user: viewer, errors: [] };
  const displayName = change.displayName?.trim() ?? null;
  const refusal = displayName === null ? null : checkDisplayName(displayName);
  if (refusal !== null) return { user: null, errors: [refusal] };
  return { user: await updateDisplayName(db, viewer.id, displayName), errors: [] };
}

function checkDisplayName(name: string): Refusal | null {
  const path = ['input', 'displayName'];
  if (/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name)) {
    const message = 'A display name has no control characters and no line breaks.';
    return { message, code: 'DISPLAY_NAME_CHARACTERS', path };
  }
  const length = name.length > MAX_CODE_UNITS ? name.length : [...graphemes.segment(name)].length;
  if (length >= 1 && length <= MAX_GRAPHEMES) return null;
  const message = `A display name has 1 to ${MAX_GRAPHEMES} characters; ${length} were sent.`;
  return { message, code: 'DISPLAY_NAME_LENGTH', path };
}
