import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { invalidationSchema } from '@timbre/platform/cache/invalidation';
import type { Invalidation } from '@timbre/platform/cache/invalidation';
import { AppError } from '@timbre/platform/errors';
import { readJson, sendJson } from '@timbre/platform/http-body';
import { z } from 'zod';

export interface InvalidationHandlerOptions {
  /** Whoever sends it in `Authorization`, alone or after `Bearer`, may invalidate. */
  sharedKey: string;
  invalidate: (invalidations: readonly Invalidation[]) => Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;
const MIN_KEY_LENGTH = 16;

const bodySchema = z.array(invalidationSchema).min(1).max(1_000);

/**
 * Takes invalidations as the Apollo Router's endpoint does: a POST of a list of `{kind, …}`, answered by 202 and how
 * many of them took effect. Entries are not counted: they are found to be invalid when they are looked for.
 *
 * @throws RangeError where the key could be guessed
 */
export function createInvalidationHandler({
  sharedKey,
  invalidate,
}: InvalidationHandlerOptions): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  if (sharedKey.length < MIN_KEY_LENGTH) {
    throw new RangeError(`The key of invalidations has less than ${MIN_KEY_LENGTH} characters.`);
  }
  const expected = digest(sharedKey);
  const isAllowed = (authorization = '') => timingSafeEqual(digest(authorization.replace(/^Bearer +/i, '')), expected);

  /** @throws AppError: how it is answered is up to the server */
  return async (req, res) => {
    if (req.method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED', 'Use POST.');
    if (!isAllowed(req.headers.authorization)) throw new AppError('UNAUTHENTICATED', 'The key is not the right one.');
    const body = bodySchema.safeParse(await readJson(req, MAX_BODY_BYTES));
    if (!body.success) throw new AppError('BAD_REQUEST', z.prettifyError(body.error));
    await invalidate(body.data);
    sendJson(res, 202, { count: body.data.length });
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
