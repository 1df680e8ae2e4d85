import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { AppError } from '../errors.ts';
import { checkObjectKey, checkObjectPrefix, INCOMING } from './keys.ts';
import type { ByteRange, ObjectHead, ObjectStore } from './object-store.ts';

export interface S3StoreOptions {
  bucket: string;
  /** For S3-compatible stores; path-style addresses are used there. */
  endpoint?: string;
  region?: string;
  /** From the SDK's own chain (environment, profile, instance role) unless given. */
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

const DELETE_BATCH = 1_000;
const PART_BYTES = 8 * 1024 * 1024;

/** Objects in an S3 bucket, with presigned URLs that the client uses without us. */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  const { bucket } = options;
  const client = new S3Client({
    region: options.region ?? 'us-east-1',
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint, forcePathStyle: true }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  });

  async function head(key: string): Promise<ObjectHead | null> {
    try {
      const found = await client.send(
        new HeadObjectCommand({ Bucket: bucket, Key: checkObjectKey(key), ChecksumMode: 'ENABLED' }),
      );
      const sha256 = found.ChecksumType === 'COMPOSITE' ? null : toHex(found.ChecksumSHA256);
      return {
        sizeBytes: found.ContentLength ?? 0,
        contentType: found.ContentType ?? 'application/octet-stream',
        ...(sha256 === null ? {} : { sha256 }),
      };
    } catch (error) {
      if (error instanceof NotFound || error instanceof NoSuchKey) return null;
      throw error;
    }
  }

  async function* stream(key: string, range?: ByteRange): AsyncGenerator<Uint8Array, void, undefined> {
    const body = await client
      .send(
        new GetObjectCommand({
          Bucket: bucket,
          Key: checkObjectKey(key),
          ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }),
        }),
      )
      .then((answer) => answer.Body)
      .catch((error: unknown) => {
        throw error instanceof NoSuchKey ? new AppError('NOT_FOUND', 'The object does not exist.') : error;
      });
    if (body === undefined) return;
    const reader = body.transformToWebStream().getReader();
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        if (!(part.value instanceof Uint8Array)) throw new TypeError('The body is not made of bytes.');
        yield part.value;
      }
    } finally {
      await reader.cancel();
    }
  }

  async function deleteKeys(keys: readonly string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += DELETE_BATCH) {
      const Objects = keys.slice(start, start + DELETE_BATCH).map((Key) => ({ Key }));
      const { Errors } = await client.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
      );
      const failed = Errors?.[0];
      if (failed !== undefined) throw new Error(`S3 did not delete ${failed.Key ?? 'an object'}: ${failed.Code ?? ''}`);
    }
  }

  async function deleteBelow(prefix: string): Promise<void> {
    for (;;) {
      // Always the first page: what was listed before is gone by now.
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
      if (Contents.length === 0) return;
      await deleteKeys(Contents.flatMap(({ Key }) => (Key === undefined ? [] : [Key])));
    }
  }

  return {
    head,
    stream,

    async put(key, body, { contentType }) {
      const hash = createHash('sha256');
      let sizeBytes = 0;
      async function* measured(parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
        for await (const part of parts) {
          hash.update(part);
          sizeBytes += part.length;
          yield Buffer.from(part.buffer, part.byteOffset, part.length);
        }
      }
      const source = Readable.from(measured(body instanceof Uint8Array ? [body] : body), { objectMode: false });
      const upload = new Upload({
        client,
        params: {
          Bucket: bucket,
          Key: checkObjectKey(key),
          Body: source,
          ContentType: contentType,
          ChecksumAlgorithm: 'SHA256',
        },
        partSize: PART_BYTES,
        queueSize: 2,
      });
      await upload.done();
      return { sizeBytes, sha256: hash.digest('hex') };
    },

    async get(key) {
      const parts: Uint8Array[] = [];
      for await (const part of stream(key)) parts.push(part);
      return Buffer.concat(parts);
    },

    async delete(keys) {
      await deleteKeys(keys.flatMap((key) => [checkObjectKey(key), INCOMING + key]));
    },

    async deletePrefix(prefix) {
      checkObjectPrefix(prefix);
      await deleteBelow(prefix);
      await deleteBelow(INCOMING + prefix);
    },

    async uploadTarget({ key, contentType, sizeBytes, sha256, expiresInSeconds }) {
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: INCOMING + checkObjectKey(key),
        ContentType: contentType,
        ContentLength: sizeBytes,
        ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
      });
      const bound = new Set(['content-type', 'content-length', 'x-amz-checksum-sha256']);
      const url = await getSignedUrl(client, command, {
        expiresIn: expiresInSeconds,
        signableHeaders: new Set([...bound, 'host']),
        // In the query the checksum would be signed too, but S3 only checks the header against the body.
        unhoistableHeaders: bound,
      });
      return {
        method: 'PUT',
        url,
        headers: [
          { name: 'Content-Type', value: contentType },
          { name: 'x-amz-checksum-sha256', value: Buffer.from(sha256, 'hex').toString('base64') },
        ],
        expiresAt: new Date(Date.now() + expiresInSeconds * 1000),
      };
    },

    async acceptUpload(key, expected) {
      const matches = (found: ObjectHead) =>
        found.sizeBytes === expected.sizeBytes && (found.sha256 ?? expected.sha256) === expected.sha256;
      // In this order: what another caller moves between the two looks is seen by the second.
      const incoming = await head(INCOMING + key);
      const present = await head(key);
      if (present !== null) return matches(present) ? 'accepted' : 'mismatch';
      if (incoming === null) return 'missing';
      if (incoming.sha256 === undefined || !matches(incoming)) return 'mismatch';
      const copy = new CopyObjectCommand({
        Bucket: bucket,
        Key: key,
        CopySource: `${bucket}/${INCOMING}${key}`,
        ChecksumAlgorithm: 'SHA256',
      });
      try {
        await client.send(copy);
      } catch (error) {
        // Another caller accepted it at the same time.
        if ((await head(key)) === null) throw error;
      }
      await deleteKeys([INCOMING + key]);
      return 'accepted';
    },

    async downloadUrl({ key, contentType, expiresInSeconds, fileName }) {
      const command = new GetObjectCommand({
        Bucket: bucket,
        Key: checkObjectKey(key),
        ResponseContentType: contentType,
        ...(fileName === undefined
          ? {}
          : { ResponseContentDisposition: `attachment; filename*=UTF-8''${encodeURIComponent(fileName)}` }),
      });
      const url = await getSignedUrl(client, command, { expiresIn: expiresInSeconds });
      return { url, expiresAt: new Date(Date.now() + expiresInSeconds * 1000) };
    },

    async check() {
      await client.send(new HeadBucketCommand({ Bucket: bucket }));
    },
  };
}

function toHex(base64: string | undefined): string | null {
  return base64 === undefined ? null : Buffer.from(base64, 'base64').toString('hex');
}
