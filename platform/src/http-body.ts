import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, httpStatusOf } from './errors.ts';
import { createWatch } from './watch.ts';
import type { Watched } from './watch.ts';

/** How long a client may go on sending what was refused already. */
const LINGER_MS = 2_000;

/**
 * A request's body as it arrives. Unlike iterating over the request itself, stopping early leaves
 * the connection open, so that the refusal can be sent.
 */
export async function* bodyParts(req: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  for await (const part of req.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(part)) throw new TypeError('A request body is made of bytes.');
    yield part;
  }
}

/** Longer than any client takes that wants an answer. */
const BODY_TIMEOUT_MS = 30_000;
/** Most bodies come in one piece with their head: a timer for each would be one for nothing. */
const slowBodies = createWatch(200);

/**
 * The whole body of a request.
 * @throws AppError PAYLOAD_TOO_LARGE, as early as the announced length allows; BAD_REQUEST where the client breaks off, or
 * has not sent all of it in `timeoutMs` (default 30 s)
 */
export function readBody(
  req: IncomingMessage,
  maxBytes: number,
  { timeoutMs = BODY_TIMEOUT_MS }: { timeoutMs?: number } = {},
): Promise<Buffer> {
  const announced = Number(req.headers['content-length'] ?? 0);
  if (announced > maxBytes) return Promise.reject(tooLarge(maxBytes, announced));
  // By events: on the router's every request, iterating costs more than parsing what is read.
  return new Promise((resolve, reject) => {
    const deadline = performance.now() + timeoutMs;
    const parts: Buffer[] = [];
    let size = 0;
    const onData = (part: Buffer) => {
      size += part.length;
      if (size <= maxBytes) parts.push(part);
      else settle(() => reject(tooLarge(maxBytes, size)));
    };
    const onEnd = () => {
      const [only] = parts;
      settle(() => resolve(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts, size)));
    };
    // An error of the request is followed by its close.
    const onBroken = () => settle(() => reject(new AppError('BAD_REQUEST', 'The body broke off.')));
    const waiting: Watched = {
      slot: 0,
      check(now) {
        if (now >= deadline) settle(() => reject(tooSlow(timeoutMs)));
      },
    };
    const settle = (how: () => void) => {
      slowBodies.delete(waiting);
      req.off('data', onData).off('end', onEnd).off('close', onBroken);
      // What is still to come waits for whoever answers: nothing is read that nobody takes.
      if (!req.readableEnded) req.pause();
      how();
    };
    req.on('data', onData).on('end', onEnd).on('close', onBroken);
    slowBodies.add(waiting);
  });
}

/** @throws AppError UNSUPPORTED_MEDIA_TYPE, BAD_REQUEST or PAYLOAD_TOO_LARGE */
export async function readJson(req: IncomingMessage, maxBytes: number): Promise<unknown> {
  const type = (req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as application/json.', {
      details: { sent: type === '' ? null : type },
    });
  }
  const body = await readBody(req, maxBytes);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new AppError('BAD_REQUEST', 'The body is not JSON.');
  }
}

export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body);
  const { req } = res;
  const refused = status >= 400 && !req.complete;
  res.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    // What is left of the body will not be read, so the connection cannot be used again.
    ...(refused ? { connection: 'close' } : {}),
    ...headers,
  });
  endAfterBody(res, text);
}

/**
 * Ends a response. Where the request's body is still arriving, what is left of it is thrown away first: closing at
 * once would reset the connection under the client, which then never sees the answer.
 */
export function endAfterBody(res: ServerResponse, text: string | Buffer): void {
  const { req } = res;
  if (req.complete) {
    res.end(text);
    return;
  }
  res.write(text);
  const end = () => {
    clearTimeout(timer);
    res.end();
  };
  const timer = setTimeout(end, LINGER_MS);
  req.once('end', end).once('close', end).resume();
}

/** The answer of our plain HTTP endpoints: `{"error": {"code", "message", "details"?}}`. */
export function sendError(res: ServerResponse, error: AppError, headers: Record<string, string> = {}): void {
  const { code, message, details } = error;
  sendJson(
    res,
    httpStatusOf(code),
    { error: { code, message, ...(details === undefined ? {} : { details }) } },
    headers,
  );
}

function tooLarge(maxBytes: number, sent: number): AppError {
  return new AppError(
    'PAYLOAD_TOO_LARGE',
    `A request body may have at most ${maxBytes} bytes; this one has ${sent} or more.`,
    {
      details: { maximum: maxBytes, actual: sent },
    },
  );
}

function tooSlow(timeoutMs: number): AppError {
  return new AppError('BAD_REQUEST', `The body was not there after ${timeoutMs / 1000} s.`, {
    details: { maximumMs: timeoutMs },
  });
}
