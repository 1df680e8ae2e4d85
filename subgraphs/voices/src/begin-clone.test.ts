import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  announced,
  anyFile,
  begin,
  consent,
  finalize,
  put,
  read,
  remove,
  update,
  type Target,
} from './testing/cloning.ts';
import { sha256, startTestVoices, type TestVoices } from './testing/start-test-voices.ts';

let voices: TestVoices;
beforeAll(async () => {
  voices = await startTestVoices();
});
afterAll(() => voices.close());

const codes = (errors: { code: string; path: string[] | null }[]) =>
  errors.map(({ code, path }) => `${code} ${path?.join('.')}`);
const sample = (change: Record<string, unknown> = {}) => ({ ...announced(anyFile()), ...change });

describe('beginVoiceClone', () => {
  it('makes a voice that waits for its recordings and says where they go, in their order', async () => {
    const person = voices.person();
    const files = [anyFile(), anyFile()];
    const { voice, uploads, consentStatement, errors } = await begin(person, {
      name: '  Lena  ',
      description: 'two\nlines',
      labels: [{ key: 'accent', value: 'Swedish' }],
      samples: [
        announced(files[0] ?? anyFile()),
        { ...announced(files[1] ?? anyFile()), mimeType: 'Audio/WebM;codecs=opus' },
      ],
    });
    expect(errors).toEqual([]);
    expect(voice).toMatchObject({
      name: 'Lena',
      description: 'two\nlines',
      kind: 'CLONED_INSTANT',
      status: 'AWAITING_UPLOAD',
      labels: [{ key: 'accent', value: 'Swedish' }],
      owner: { id: person.id },
      consent: { state: 'MISSING' },
      fitting: null,
      match: null,
      failure: null,
      previewUrl: null,
    });
    expect(consentStatement).toContain('Lena');
    expect(uploads.map(({ sampleId }) => sampleId)).toEqual(voice?.samples?.map(({ id }) => id));
    expect(voice?.samples?.map(({ mimeType }) => mimeType)).toEqual(['audio/wav', 'audio/webm']);
    expect(uploads[0]?.url.startsWith(voices.env.PUBLIC_URL)).toBe(true);
  });

  it('replays a key with fresh addresses, and refuses another input under it', async () => {
    const person = voices.person();
    const input = { idempotencyKey: randomUUID(), name: 'Once', samples: [sample()] };
    const [first, second] = await Promise.all([begin(person, input), begin(person, input)]);
    expect(second.voice?.id).toBe(first.voice?.id);
    expect(second.uploads[0]?.sampleId).toBe(first.uploads[0]?.sampleId);
    const other = await begin(person, { ...input, name: 'Twice' });
    expect(other).toMatchObject({ voice: null, uploads: [], errors: [{ __typename: 'IdempotencyConflictError' }] });
    // Somebody else's key is another key.
    expect((await begin(voices.person(), input)).voice?.id).not.toBe(first.voice?.id);
  });

  it.each<[string, Record<string, unknown>, string[]]>([
    ['an empty name', { name: '  ' }, ['TOO_SHORT input.name']],
    ['81 characters', { name: '👩‍👩‍👧'.repeat(81) }, ['TOO_LONG input.name']],
    ['ten megabytes of name', { name: 'x'.repeat(3_000_000) }, ['TOO_LONG input.name']],
    ['a control character', { name: 'a\u0000b' }, ['INVALID_CHARACTERS input.name']],
    ['text that turns around', { name: 'a\u202Eb' }, ['INVALID_CHARACTERS input.name']],
    ['a long description', { description: 'x'.repeat(501) }, ['TOO_LONG input.description']],
    [
      '21 labels',
      { labels: Array.from({ length: 21 }, (_, i) => ({ key: `k${i}`, value: 'v' })) },
      ['TOO_MANY input.labels'],
    ],
    [
      'bad labels',
      {
        labels: [
          { key: '', value: 'v' },
          { key: 'a', value: 'x'.repeat(81) },
          { key: 'a', value: 'v' },
        ],
      },
      ['TOO_SHORT input.labels.0.key', 'TOO_LONG input.labels.1.value', 'DUPLICATE input.labels.2.key'],
    ],
    ['no samples', { samples: [] }, ['TOO_FEW input.samples']],
    ['26 samples', { samples: Array.from({ length: 26 }, () => sample()) }, ['TOO_MANY input.samples']],
    ['an empty file', { samples: [sample({ sizeBytes: 0 })] }, ['TOO_SMALL input.samples.0.sizeBytes']],
    ['a negative size', { samples: [sample({ sizeBytes: -1 })] }, ['TOO_SMALL input.samples.0.sizeBytes']],
    ['26 MiB', { samples: [sample({ sizeBytes: 26 * 2 ** 20 })] }, ['TOO_LARGE input.samples.0.sizeBytes']],
    [
      '101 MiB in five',
      { samples: Array.from({ length: 5 }, () => sample({ sizeBytes: 21 * 2 ** 20 })) },
      ['TOO_LARGE input.samples'],
    ],
    ['a video', { samples: [sample({ mimeType: 'video/mp4' })] }, ['UNSUPPORTED_MEDIA_TYPE input.samples.0.mimeType']],
    [
      'an upper-case hash',
      { samples: [sample({ sha256: 'A'.repeat(64) })] },
      ['INVALID_SHA256 input.samples.0.sha256'],
    ],
    ['a short hash', { samples: [sample({ sha256: 'abc' })] }, ['INVALID_SHA256 input.samples.0.sha256']],
    [
      'a path with a line break',
      { samples: [sample({ fileName: 'a\nb' })] },
      ['INVALID_CHARACTERS input.samples.0.fileName'],
    ],
    [
      'the same recording twice',
      { samples: [sample({ sha256: sha256(Buffer.from('x')) }), sample({ sha256: sha256(Buffer.from('x')) })] },
      ['DUPLICATE input.samples.1.sha256'],
    ],
    ['an empty key', { idempotencyKey: '' }, ['INVALID_IDEMPOTENCY_KEY input.idempotencyKey']],
    ['a key with a NUL', { idempotencyKey: 'a\u0000' }, ['INVALID_IDEMPOTENCY_KEY input.idempotencyKey']],
    ['several faults at once', { name: '', samples: [] }, ['TOO_SHORT input.name', 'TOO_FEW input.samples']],
  ])('refuses %s and stores nothing', async (_, input, expected) => {
    const person = voices.person();
    const { voice, uploads, errors } = await begin(person, input);
    expect(codes(errors)).toEqual(expected);
    expect(voice).toBeNull();
    expect(uploads).toEqual([]);
    const { rowCount } = await voices.pool.query('select from voices.voices where owner_id = $1', [person.id]);
    expect(rowCount).toBe(0);
  });

  it('names the limit and what was sent', async () => {
    const { errors } = await begin(voices.person(), { samples: [sample({ sizeBytes: 30_000_000 })] });
    expect(errors[0]?.message).toBe('A recording may have at most 26214400 bytes (25 MiB), not 30000000.');
  });

  it('takes 80 characters however many code units they have', async () => {
    const { voice } = await begin(voices.person(), { name: '👩‍👩‍👧'.repeat(80) });
    expect(voice?.name).toBe('👩‍👩‍👧'.repeat(80));
  });

  it('gives no more voices than the plan has slots, however many ask at once', async () => {
    const person = voices.person();
    // Nobody's row gets in before all have had the chance to count: who counts without a lock counts none.
    const holder = await voices.pool.connect();
    await holder.query('begin; lock table voices.voices in share mode');
    const asked = Array.from({ length: 8 }, () => begin(person, {}));
    const waiting = `select pid, count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database()) group by 1`;
    try {
      await expect.poll(async () => (await holder.query(waiting)).rowCount).toBe(8);
    } finally {
      await holder.query('commit');
      holder.release();
    }
    const answers = await Promise.all(asked);
    const made = answers.flatMap(({ voice }) => (voice === null ? [] : [voice]));
    expect(made).toHaveLength(3);
    const refused = answers.filter(({ voice }) => voice === null);
    for (const { errors } of refused)
      expect(errors).toMatchObject([{ __typename: 'VoiceLimitError', limit: 3, used: 3 }]);
    await remove(person, made[0]?.id ?? '');
    expect((await begin(person, {})).errors).toEqual([]);
  });

  it('is for people who are signed in', async () => {
    const { errors } = await voices
      .person(null)
      .raw('mutation ($input: BeginVoiceCloneInput!) { beginVoiceClone(input: $input) { errors { __typename } } }', {
        input: { idempotencyKey: 'k', name: 'n', samples: [sample()] },
      });
    expect(errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });
});

describe('uploads', () => {
  async function target(bytes: Uint8Array): Promise<Target> {
    const { uploads } = await begin(voices.person(), { samples: [announced({ ...anyFile(), bytes })] });
    const [first] = uploads;
    if (first === undefined) throw new Error('no upload target');
    return first;
  }

  it('take the announced bytes, also twice, and no others', async () => {
    const bytes = Buffer.from('some audio, one would hope');
    const upload = await target(bytes);
    expect(await put(upload, bytes)).toBe(200);
    expect(await put(upload, bytes)).toBe(200);
    expect(await put(upload, Buffer.from('SOME audio, one would hope'))).toBe(400);
    expect(await put(upload, Buffer.concat([bytes, bytes]))).toBe(413);
    expect(await put(upload, bytes, { 'content-type': 'text/html' })).toBeGreaterThanOrEqual(400);
  });

  it.each([
    [
      'key',
      (url: URL) => (url.pathname = url.pathname.replace(/smp_[^?]*/, 'smp_0190a000-0000-7000-8000-000000000000')),
    ],
    ['length', (url: URL) => url.searchParams.set('length', '999')],
    ['hash', (url: URL) => url.searchParams.set('sha256', 'f'.repeat(64))],
    ['type', (url: URL) => url.searchParams.set('type', 'text/html')],
    ['expiry', (url: URL) => url.searchParams.set('expires', '9999999999')],
    ['signature', (url: URL) => url.searchParams.set('signature', 'AAAA')],
  ])('refuse an address whose %s was changed', async (_, tamper) => {
    const bytes = Buffer.from('bytes');
    const upload = await target(bytes);
    const url = new URL(upload.url);
    tamper(url);
    expect(await put({ ...upload, url: url.href }, bytes)).toBe(403);
    expect(await put(upload, bytes)).toBe(200);
  });

  it('refuse an address after its time', async () => {
    const bytes = Buffer.from('late');
    const expired = await voices.store.uploadTarget({
      key: 'tenants/t/voices/v/recordings/r',
      contentType: 'audio/wav',
      sizeBytes: bytes.length,
      sha256: sha256(bytes),
      expiresInSeconds: -1,
    });
    expect(await put({ ...expired, sampleId: '', expiresAt: '' }, bytes)).toBe(403);
  });

  it('refuse an address after the recording was taken in', async () => {
    const person = voices.person();
    const file = anyFile();
    const { voice, uploads } = await begin(person, { samples: [announced(file)] });
    const [upload] = uploads;
    if (voice === null || upload === undefined) throw new Error('not begun');
    await put(upload, file.bytes);
    await consent(person, voice.id);
    expect((await finalize(person, voice.id)).voice?.status).toBe('PROCESSING');
    expect(await put(upload, file.bytes)).toBe(409);
  });
});

describe('updateVoice', () => {
  it('changes what is given, clears what is null and keeps the rest', async () => {
    const person = voices.person();
    const { voice } = await begin(person, { description: 'old', labels: [{ key: 'a', value: 'b' }] });
    const id = voice?.id ?? '';
    expect((await update(person, id, { name: 'New' })).voice).toMatchObject({ name: 'New', description: 'old' });
    expect((await update(person, id, { description: null, labels: null })).voice).toMatchObject({
      name: 'New',
      description: null,
      labels: [],
    });
    expect(codes((await update(person, id, { name: null })).errors)).toEqual(['REQUIRED input.name']);
    expect(codes((await update(person, id, { name: 'x'.repeat(81) })).errors)).toEqual(['TOO_LONG input.name']);
    expect((await read(person, id))?.name).toBe('New');
  });
});
