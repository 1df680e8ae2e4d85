import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, isAppError } from '../errors.ts';
import { bodyParts, sendError, sendJson } from '../http-body.ts';
import type { HttpHandler } from '../http-server.ts';
import type { Logger } from '../logger.ts';
import type { FsStore } from './fs-store.ts';
import { INCOMING, isObjectKey } from './keys.ts';
import { sendObject } from './send-object.ts';
import { MEDIA_PATH, UPLOADS_PATH } from './url-signer.ts';
import type { UploadClaim, UrlSigner } from './url-signer.ts';

export interface MediaHandlerOptions {
  store: FsStore;
  signer: UrlSigner;
  log: Logger;
  /** Unix milliseconds. */
  now?: () => number;
}

/** Any page may use a URL that it was given: the signature is the permission, and no cookie is involved. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, PUT, OPTIONS',
  'access-control-allow-headers': '*, Content-Type, Range, If-None-Match, If-Range',
  'access-control-expose-headers': 'ETag, Content-Length, Content-Range, Accept-Ranges, Content-Disposition',
  'access-control-max-age': '86400',
  'cross-origin-resource-policy': 'cross-origin',
} as const;

/** Whether a request is the media handler's. */
export function isMediaPath(path: string): boolean {
  return path.startsWith(UPLOADS_PATH) || path.startsWith(MEDIA_PATH);
}

/**
 * Answers the signed URLs of the filesystem store: `PUT /uploads/<key>`, `GET` and `HEAD
 * /media/<key>`. A tampered or expired URL is 403, a body other than the signed one 400 (too
 * large: 413), an upload after it was accepted 409, the same upload again 200.
 */
export function createMediaHandler(options: MediaHandlerOptions): HttpHandler {
  const { store, signer, log, now = Date.now } = options;

  async function upload(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    const claim = checkClaim(signer.readUpload(url), now());
    checkHeaders(req, claim);
    if ((await store.head(claim.key)) !== null) throw alreadyAccepted();
    await store.receive(INCOMING + claim.key, limited(req, claim.sizeBytes), claim.contentType, async (object) => {
      if (object.sizeBytes !== claim.sizeBytes) {
        throw new AppError('BAD_USER_INPUT', `Expected ${claim.sizeBytes} bytes, received ${object.sizeBytes}.`, {
          details: { expected: claim.sizeBytes, received: object.sizeBytes },
        });
      }
      if (object.sha256 !== claim.sha256) {
        throw new AppError('BAD_USER_INPUT', 'The bytes do not have the announced SHA-256.', {
          details: { expected: claim.sha256, received: object.sha256 },
        });
      }
      if ((await store.head(claim.key)) !== null) throw alreadyAccepted();
    });
    sendJson(res, 200, { sizeBytes: claim.sizeBytes, sha256: claim.sha256 });
  }

  async function download(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    const claim = checkClaim(signer.readDownload(url), now());
    await sendObject(req, res, store, { ...claim, maxAgeSeconds: claim.expiresAt - Math.ceil(now() / 1000) });
  }

  async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = URL.parse(req.url ?? '', 'http://localhost');
    const uploads = url?.pathname.startsWith(UPLOADS_PATH) === true;
    if (url === null || !(uploads || url.pathname.startsWith(MEDIA_PATH))) {
      throw new AppError('NOT_FOUND', 'There is nothing here.');
    }
    const allowed = uploads ? ['PUT'] : ['GET', 'HEAD'];
    if (req.method === 'OPTIONS') {
      res.writeHead(204).end();
      return undefined;
    }
    if (!allowed.includes(req.method ?? '')) {
      res.setHeader('allow', [...allowed, 'OPTIONS'].join(', '));
      throw new AppError('METHOD_NOT_ALLOWED', `Use ${allowed.join(' or ')}.`);
    }
    return uploads ? upload(req, res, url) : download(req, res, url);
  }

  return async (req, res) => {
    for (const [name, value] of Object.entries(CORS)) res.setHeader(name, value);
    try {
      await route(req, res);
    } catch (error) {
      if (res.headersSent || res.destroyed) {
        log.debug({ err: error }, 'media transfer ended early');
        res.destroy();
        return;
      }
      if (!isAppError(error)) log.error({ err: error }, 'media request failed');
      sendError(res, isAppError(error) ? error : new AppError('INTERNAL_SERVER_ERROR', 'Internal server error.'));
    }
  };
}

function checkClaim<Claim extends { key: string; expiresAt: number }>(claim: Claim | null, nowMs: number): Claim {
  if (claim === null || !isObjectKey(claim.key)) {
    throw new AppError('FORBIDDEN', 'The URL is not one that this service gave out.');
  }
  if (claim.expiresAt * 1000 <= nowMs) throw new AppError('FORBIDDEN', 'The URL has expired.');
  return claim;
}

function checkHeaders(req: IncomingMessage, claim: UploadClaim): void {
  const length = req.headers['content-length'];
  if (length !== undefined && Number(length) !== claim.sizeBytes) {
    const code = Number(length) > claim.sizeBytes ? 'PAYLOAD_TOO_LARGE' : 'BAD_USER_INPUT';
    throw new AppError(code, `This URL takes ${claim.sizeBytes} bytes, not ${length}.`, {
      details: { expected: claim.sizeBytes, sent: Number(length) },
    });
  }
  const type = req.headers['content-type'];
  if (type !== undefined && type !== claim.contentType) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', `This URL takes ${claim.contentType}, not ${type}.`);
  }
}

/** Chunked bodies announce no length: stop at the first byte too many. */
async function* limited(req: IncomingMessage, maxBytes: number): AsyncGenerator<Buffer, void, undefined> {
  let size = 0;
  for await (const part of bodyParts(req)) {
    size += part.length;
    if (size > maxBytes) {
      throw new AppError('PAYLOAD_TOO_LARGE', `This URL takes ${maxBytes} bytes; more were sent.`, {
        details: { expected: maxBytes },
      });
    }
    yield part;
  }
}

function alreadyAccepted(): AppError {
  return new AppError('CONFLICT', 'This upload was accepted already.');
}
