import type { Db } from '@timbre/db/client';
import type { VoiceKind, VoiceStatus } from '@timbre/db/voices/tables';
import { decodeCursor, pageSize, toConnection } from '@timbre/platform/cursor';
import { AppError } from '@timbre/platform/errors';
import { isId } from '@timbre/platform/ids';
import { z } from 'zod';
import type { VoiceFilterValue, Visibility } from '../repos/voice-scope.ts';
import { listVoices, type PagePosition } from '../repos/voices.ts';
import type { VoicePage } from '../rows.ts';
import { canonicalLocale } from './consent-statement.ts';
import { LIMITS } from './limits.ts';

export interface PageRequest {
  first: number;
  after?: string | null | undefined;
  filter?: FilterInput | null | undefined;
}

interface FilterInput {
  kind?: VoiceKind | null | undefined;
  status?: VoiceStatus | null | undefined;
  search?: string | null | undefined;
  language?: string | null | undefined;
}

/**
 * Newest first.
 * @throws AppError BAD_USER_INPUT for a page size, cursor or filter out of bounds.
 */
export async function pageOfVoices(db: Db, visibility: Visibility, request: PageRequest): Promise<VoicePage> {
  const first = pageSize(request.first);
  const scope = { visibility, filter: checkFilter(request.filter ?? {}) };
  const after = positionOf(request.after);
  const rows = await listVoices(db, scope, after, first + 1);
  const page = toConnection(rows, first, (row) => [row.createdAt.getTime(), row.id], { after: request.after ?? null });
  return { ...page, scope, all: after === null && rows.length <= first ? rows.length : null };
}

/** The last millisecond that PostgreSQL reads as `toISOString` writes it. */
const MAX_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
/** What `toConnection` was given above: milliseconds and id. */
const positionSchema = z.tuple([z.number().int().min(0).max(MAX_TIME), z.string().refine((id) => isId('voi', id))]);

function positionOf(after: string | null | undefined): PagePosition | null {
  if (after === null || after === undefined || after === '') return null;
  const parsed = positionSchema.safeParse(decodeCursor(after));
  if (!parsed.success) throw new AppError('BAD_USER_INPUT', 'The cursor is not one of this list.');
  const [createdAt, id] = parsed.data;
  return { createdAt: new Date(createdAt), id };
}

function checkFilter({ kind, status, search, language }: FilterInput): VoiceFilterValue {
  const filter: VoiceFilterValue = {};
  if (kind !== null && kind !== undefined) filter.kind = kind;
  if (status !== null && status !== undefined) filter.status = status;
  if (search !== null && search !== undefined && search.trim() !== '') filter.search = checkSearch(search);
  if (language !== null && language !== undefined) filter.language = checkLanguage(language);
  return filter;
}

function checkSearch(search: string): string {
  if (search.length > LIMITS.searchLength) {
    throw new AppError(
      'BAD_USER_INPUT',
      `A search may have at most ${LIMITS.searchLength} characters, not ${search.length}.`,
      { details: { argument: 'filter.search', maximum: LIMITS.searchLength, sent: search.length } },
    );
  }
  if (/[\p{Cc}\p{Cs}]/u.test(search)) {
    throw new AppError('BAD_USER_INPUT', 'A search may not contain control characters.', {
      details: { argument: 'filter.search' },
    });
  }
  return search.normalize('NFC').trim();
}

function checkLanguage(language: string): string {
  const canonical = canonicalLocale(language);
  if (canonical !== null) return canonical;
  throw new AppError('BAD_USER_INPUT', 'A language is a BCP 47 tag such as "en" or "de-AT".', {
    details: { argument: 'filter.language', sent: language.slice(0, 40) },
  });
}
