import type { Db } from '@timbre/db/client';
import { decodeCursor, pageSize, toConnection } from '@timbre/platform/cursor';
import { AppError } from '@timbre/platform/errors';
import { isId } from '@timbre/platform/ids';
import type { GenerationFilter } from '../generated/types.ts';
import { readGenerationPage } from '../repos/generation-pages.ts';
import type { GenerationPage, GenerationRow } from '../rows.ts';

export interface PageArguments {
  first?: number | null;
  after?: string | null;
}

/** The size of a page and the id that it begins after. @throws AppError BAD_USER_INPUT */
export function pageArguments({ first, after }: PageArguments): { size: number; afterId: string | null } {
  const size = pageSize(first);
  if (after === undefined || after === null) return { size, afterId: null };
  const [id, ...rest] = decodeCursor(after);
  if (typeof id !== 'string' || !isId('gen', id) || rest.length > 0) {
    throw new AppError('BAD_USER_INPUT', 'The cursor is not one that this list gave out.');
  }
  return { size, afterId: id };
}

export function toPage(rows: readonly GenerationRow[], size: number, after: string | null | undefined): GenerationPage {
  return toConnection(rows, size, ({ id }) => [id], { after: after ?? null });
}

/** The viewer's own, newest first. @throws AppError BAD_USER_INPUT */
export async function listGenerations(
  db: Db,
  viewerId: string,
  args: PageArguments & { filter?: GenerationFilter | null | undefined },
): Promise<GenerationPage> {
  const { size, afterId } = pageArguments(args);
  const { state = null, voiceId = null, since, until } = args.filter ?? {};
  // No voice has such an id, so none of the generations is of it.
  if (voiceId !== null && !isId('voi', voiceId)) return toPage([], size, args.after);
  const time = (value: string | null | undefined) => (value === undefined || value === null ? null : new Date(value));
  const filter = { state, voiceId, since: time(since), until: time(until) };
  const rows = await readGenerationPage(db, viewerId, filter, { limit: size + 1, afterId });
  return toPage(rows, size, args.after);
}
