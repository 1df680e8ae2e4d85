import { expect, test } from 'vitest';
import { createS3Store } from './s3-store.ts';

// There is no S3 server here: presigning happens offline, and that is what is tested.
const store = createS3Store({
  bucket: 'timbre-audio',
  region: 'eu-central-1',
  credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
});
const sha256 = 'a'.repeat(64);
const upload = { key: 'usr_1/a', contentType: 'audio/wav', sizeBytes: 1234, sha256, expiresInSeconds: 600 };

test('a presigned upload binds length, type and checksum as headers and lands apart', async () => {
  const target = await store.uploadTarget(upload);
  const url = new URL(target.url);
  expect(url.host).toBe('timbre-audio.s3.eu-central-1.amazonaws.com');
  expect(url.pathname).toBe('/incoming/usr_1/a');
  expect(url.searchParams.get('X-Amz-Expires')).toBe('600');
  expect(url.searchParams.get('X-Amz-SignedHeaders')?.split(';').toSorted()).toEqual([
    'content-length',
    'content-type',
    'host',
    'x-amz-checksum-sha256',
  ]);
  expect([...url.searchParams.keys()].filter((name) => /checksum/i.test(name))).toEqual([]);
  expect(target.headers).toEqual([
    { name: 'Content-Type', value: 'audio/wav' },
    { name: 'x-amz-checksum-sha256', value: Buffer.from(sha256, 'hex').toString('base64') },
  ]);
  expect(target.expiresAt.getTime() - Date.now()).toBeGreaterThan(590_000);
});

test('another length, type, hash or key has another signature', async () => {
  const signatures = await Promise.all(
    [
      upload,
      { ...upload, sizeBytes: 1235 },
      { ...upload, contentType: 'text/html' },
      { ...upload, sha256: 'b'.repeat(64) },
      { ...upload, key: 'usr_2/a' },
    ].map(async (options) => new URL((await store.uploadTarget(options)).url).searchParams.get('X-Amz-Signature')),
  );
  expect(new Set(signatures).size).toBe(5);
});

test('a presigned download fixes the type and the name', async () => {
  const { url } = await store.downloadUrl({
    key: 'gen/1.mp3',
    contentType: 'audio/mpeg',
    expiresInSeconds: 60,
    fileName: 'ö.mp3',
  });
  const query = new URL(url).searchParams;
  expect(query.get('response-content-type')).toBe('audio/mpeg');
  expect(query.get('response-content-disposition')).toBe("attachment; filename*=UTF-8''%C3%B6.mp3");
  expect(query.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/);
});

test('an S3-compatible store is addressed by path', async () => {
  const minio = createS3Store({
    bucket: 'b',
    endpoint: 'http://127.0.0.1:9000',
    credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
  });
  const target = await minio.uploadTarget(upload);
  expect(target.url).toContain('http://127.0.0.1:9000/b/incoming/usr_1/a?');
  await expect(minio.uploadTarget({ ...upload, key: '../x' })).rejects.toThrow(RangeError);
});
