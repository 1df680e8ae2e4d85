import { createHmac, createSecretKey, hkdfSync, timingSafeEqual } from 'node:crypto';

/** What an upload URL allows. */
export interface UploadClaim {
  key: string;
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
  contentType: string;
  /** Unix seconds. */
  expiresAt: number;
}

/** What a download URL allows. */
export interface DownloadClaim {
  key: string;
  contentType: string;
  fileName: string | null;
  /** Unix seconds. */
  expiresAt: number;
}

export const UPLOADS_PATH = '/uploads/';
export const MEDIA_PATH = '/media/';

/**
 * Signs the URLs of the filesystem store. Method and every claim are bound in the signature.
 * The key is derived from the identity secret (HKDF, RFC 5869), so that a signature made for one
 * purpose is worthless for another.
 */
export interface UrlSigner {
  /** Path and query, to be put behind PUBLIC_URL. */
  upload(claim: UploadClaim): string;
  download(claim: DownloadClaim): string;
  /** @returns null when the path or query is not one that this signer made for that method. Expiry is the caller's to check. */
  readUpload(url: URL): UploadClaim | null;
  readDownload(url: URL): DownloadClaim | null;
}

export function createUrlSigner(secret: string): UrlSigner {
  // With the bytes themselves, Node.js 24 takes ten times as long for a signature: it looks at each key whether it is more.
  const hmacKey = createSecretKey(Buffer.from(hkdfSync('sha256', secret, 'timbre', 'timbre media urls v1', 32)));

  // JSON keeps the fields apart whatever they contain.
  const sign = (...fields: (string | number | null)[]) =>
    createHmac('sha256', hmacKey).update(JSON.stringify(fields)).digest('base64url');
  const signUpload = (c: UploadClaim) => sign('PUT', c.key, c.sizeBytes, c.sha256, c.contentType, c.expiresAt);
  const signDownload = (c: DownloadClaim) => sign('GET', c.key, c.contentType, c.fileName, c.expiresAt);

  return {
    upload(claim) {
      const query = new URLSearchParams({
        expires: String(claim.expiresAt),
        length: String(claim.sizeBytes),
        sha256: claim.sha256,
        type: claim.contentType,
        signature: signUpload(claim),
      });
      return `${UPLOADS_PATH}${claim.key}?${query.toString()}`;
    },

    download(claim) {
      const query = new URLSearchParams({ expires: String(claim.expiresAt), type: claim.contentType });
      if (claim.fileName !== null) query.set('name', claim.fileName);
      query.set('signature', signDownload(claim));
      return `${MEDIA_PATH}${claim.key}?${query.toString()}`;
    },

    readUpload(url) {
      const key = keyBehind(UPLOADS_PATH, url);
      const query = url.searchParams;
      const expiresAt = wholeNumber(query.get('expires'));
      const sizeBytes = wholeNumber(query.get('length'));
      const sha256 = query.get('sha256');
      const contentType = query.get('type');
      if (key === null || expiresAt === null || sizeBytes === null || sha256 === null || contentType === null)
        return null;
      const claim: UploadClaim = { key, sizeBytes, sha256, contentType, expiresAt };
      return same(query.get('signature'), signUpload(claim)) ? claim : null;
    },

    readDownload(url) {
      const key = keyBehind(MEDIA_PATH, url);
      const query = url.searchParams;
      const expiresAt = wholeNumber(query.get('expires'));
      const contentType = query.get('type');
      if (key === null || expiresAt === null || contentType === null) return null;
      const claim: DownloadClaim = { key, contentType, fileName: query.get('name'), expiresAt };
      return same(query.get('signature'), signDownload(claim)) ? claim : null;
    },
  };
}

function keyBehind(path: string, url: URL): string | null {
  return url.pathname.startsWith(path) ? url.pathname.slice(path.length) : null;
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function same(actual: string | null, expected: string): boolean {
  const a = Buffer.from(actual ?? '', 'utf8');
  const b = Buffer.from(expected, 'utf8');
  return a.length === b.length && timingSafeEqual(a, b);
}
