import { z } from 'zod';
import { AppError } from './errors.ts';

/** The values of the row's sort key, in order; the last one must make it unique. */
export type CursorParts = (string | number)[];

const partsSchema = z
  .array(z.union([z.string(), z.number()]))
  .min(1)
  .max(8);

const DEFAULT_PAGE = 20;
const MAX_PAGE = 100;
/** Far above anything that `encodeCursor` makes, far below anything worth parsing. */
const MAX_CURSOR_LENGTH = 1024;

/** An opaque keyset cursor. It says where a page begins, never how many rows came before. */
export function encodeCursor(parts: CursorParts): string {
  return Buffer.from(JSON.stringify(parts), 'utf8').toString('base64url');
}

function refuse(): AppError {
  return new AppError('BAD_USER_INPUT', 'The cursor is not one that this API gave out.');
}

/** @throws AppError BAD_USER_INPUT for anything that `encodeCursor` did not make. */
export function decodeCursor(cursor: string): CursorParts {
  if (cursor.length > MAX_CURSOR_LENGTH) throw refuse();
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw refuse();
  }
  const parsed = partsSchema.safeParse(value);
  if (!parsed.success || encodeCursor(parsed.data) !== cursor) throw refuse();
  return parsed.data;
}

/**
 * The size of the page that was asked for; 20 where nothing was.
 * @throws AppError BAD_USER_INPUT that names the limit and what was sent.
 */
export function pageSize(first: number | null | undefined, options: { max?: number } = {}): number {
  const max = options.max ?? MAX_PAGE;
  if (first === null || first === undefined) return Math.min(DEFAULT_PAGE, max);
  if (!Number.isInteger(first) || first < 0 || first > max) {
    throw new AppError('BAD_USER_INPUT', `\`first\` must be between 0 and ${max}, not ${first}.`, {
      details: { argument: 'first', minimum: 0, maximum: max, sent: first },
    });
  }
  return first;
}

export interface Connection<T> {
  edges: { cursor: string; node: T }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}

/**
 * A Relay connection out of `first + 1` rows: the extra row only tells that there is a next page.
 *
 * @param options.after whether the page was asked for behind a cursor, which is what
 *   `hasPreviousPage` reports (a keyset page costs a second query to know better).
 */
export function toConnection<T>(
  rows: readonly T[],
  first: number,
  cursorOf: (row: T) => CursorParts,
  options: { after?: string | null } = {},
): Connection<T> {
  const edges = rows.slice(0, first).map((node) => ({ cursor: encodeCursor(cursorOf(node)), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: rows.length > first,
      hasPreviousPage: options.after !== null && options.after !== undefined && options.after !== '',
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
