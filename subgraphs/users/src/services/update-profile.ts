import type { Db } from '@timbre/db/client';
import { checkText, type TextRule } from '@timbre/platform/check-text';
import { findUsers, updateDisplayName } from '../repos/users.ts';
import type { UserRow } from '../rows.ts';
import type { Refusal } from './refusal.ts';

export interface ProfileChange {
  /** Absent leaves it, null takes it away. */
  displayName?: string | null;
}

export interface ProfileResult {
  user: UserRow | null;
  errors: Refusal[];
}

const DISPLAY_NAME: TextRule = { what: 'The display name', min: 1, max: 80 };

/** What the caller can mend is in `errors`, and then nothing has changed. */
export async function updateProfile(db: Db, viewerId: string, { displayName }: ProfileChange): Promise<ProfileResult> {
  if (displayName === undefined) return { user: (await findUsers(db, [viewerId]))[0] ?? null, errors: [] };
  if (displayName === null) return { user: await updateDisplayName(db, viewerId, null), errors: [] };
  const { text, problems } = checkText(displayName, DISPLAY_NAME);
  const errors = problems.map((problem) => ({ ...problem, path: ['input', 'displayName'] }));
  return { user: errors.length > 0 ? null : await updateDisplayName(db, viewerId, text), errors };
}
