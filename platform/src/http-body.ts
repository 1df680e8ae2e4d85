import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, httpStatusOf } from './errors.ts';

/**
 * The whole body of a request.
 * @throws AppError PAYLOAD_TOO_LARGE, as early as the announced length allows.
 */
export async function readBody(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const announced = Number(req.headers['content-length'] ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes, announced);
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of req as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) throw tooLarge(maxBytes, size);
    parts.push(part);
  }
  return Buffer.concat(parts, size);
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
  res.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  res.end(text);
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
      details: { maxBytes, sent },
    },
  );
}
