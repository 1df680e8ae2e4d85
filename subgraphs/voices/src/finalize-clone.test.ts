import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanVoice } from './cleanup.ts';
import { sweepVoices } from './sweep.ts';
import {
  announced,
  anyFile,
  begin,
  clone,
  consent,
  finalize,
  put,
  read,
  remove,
  revoke,
  type File,
  type Person,
} from './testing/cloning.ts';
import { startTestVoices, type TestVoices } from './testing/start-test-voices.ts';

let voices: TestVoices;
beforeAll(async () => {
  voices = await startTestVoices();
});
afterAll(() => voices.close());

async function begun(person: Person, files: File[]) {
  const { voice, uploads } = await begin(person, { samples: files.map(announced) });
  if (voice === null) throw new Error('not begun');
  return {
    id: voice.id,
    async upload(...indexes: number[]) {
      for (const index of indexes) {
        const target = uploads[index];
        if (target === undefined) throw new Error(`no upload ${index}`);
        const status = await put(target, files[index]?.bytes ?? Buffer.alloc(0));
        if (status !== 200) throw new Error(`upload ${index} answered ${status}`);
      }
    },
  };
}

async function queued(queue: string, voiceId: string): Promise<number> {
  const { rowCount } = await voices.pool.query(`select from jobs.job where name = $1 and data->>'voiceId' = $2`, [
    queue,
    voiceId,
  ]);
  return rowCount ?? 0;
}

describe('submitVoiceConsent', () => {
  it('keeps what the speaker agreed to, in their language and with their name', async () => {
    const person = voices.person();
    const { id } = await begun(person, [anyFile()]);
    const first = await consent(person, id, { locale: 'de-at', speakerName: 'Lena Sprecherin' });
    expect(first.voice?.consent).toMatchObject({
      state: 'ATTESTED',
      locale: 'de-AT',
      speakerName: 'Lena Sprecherin',
      verifiedAt: null,
    });
    expect(first.voice?.consent?.statement).toMatch(/^Ich, Lena Sprecherin, .*„Lena“/);
    expect(first.upload).toBeNull();
    // A language without a statement of its own gets the English one, and says so.
    const second = await consent(person, id, { locale: 'fi', recording: announced(anyFile()) });
    expect(second.voice?.consent).toMatchObject({ locale: 'en' });
    expect(second.upload?.method).toBe('PUT');
  });

  it('replays and conflicts by its key', async () => {
    const person = voices.person();
    const { id } = await begun(person, [anyFile()]);
    const input = { idempotencyKey: randomUUID(), recording: announced(anyFile()) };
    const [first, second] = await Promise.all([consent(person, id, input), consent(person, id, input)]);
    expect(second.upload?.sampleId).toBe(first.upload?.sampleId);
    expect((await consent(person, id, { ...input, speakerName: 'Other' })).errors).toMatchObject([
      { __typename: 'IdempotencyConflictError' },
    ]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['neither word nor recording', { attestation: false }, 'ATTESTATION_REQUIRED input.attestation'],
    ['a nameless speaker', { speakerName: ' ' }, 'TOO_SHORT input.speakerName'],
    ['no locale', { locale: 'not a locale' }, 'INVALID_LOCALE input.locale'],
    [
      'a recording that is text',
      { recording: { ...announced(anyFile()), mimeType: 'text/plain' } },
      'UNSUPPORTED_MEDIA_TYPE input.recording.mimeType',
    ],
  ])('refuses %s', async (_, input, expected) => {
    const person = voices.person();
    const { id } = await begun(person, [anyFile()]);
    const { errors, voice } = await consent(person, id, input);
    expect(errors.map(({ code, path }) => `${code} ${path?.join('.')}`)).toEqual([expected]);
    expect(voice).toBeNull();
    expect((await read(person, id))?.consent?.state).toBe('MISSING');
  });
});

describe('finalizeVoiceClone', () => {
  it('names each recording that is missing, and takes none in before all are there', async () => {
    const person = voices.person();
    const files = [anyFile(), anyFile(), anyFile()];
    const voice = await begun(person, files);
    await consent(person, voice.id);
    await voice.upload(1);
    const key = randomUUID();
    const first = await finalize(person, voice.id, key);
    expect(first.errors).toMatchObject([
      { __typename: 'ValidationError', code: 'UPLOAD_MISSING', path: ['samples', '0'] },
      { __typename: 'ValidationError', code: 'UPLOAD_MISSING', path: ['samples', '2'] },
    ]);
    expect((await read(person, voice.id))?.status).toBe('AWAITING_UPLOAD');
    await voice.upload(0, 1, 2);
    expect((await finalize(person, voice.id, key)).voice).toMatchObject({ status: 'PROCESSING', fitting: 0 });
  });

  it('refuses bytes that are not the announced ones, wherever they came from', async () => {
    const person = voices.person();
    const file = anyFile();
    const voice = await begun(person, [file]);
    await consent(person, voice.id);
    const sampleId = (await read(person, voice.id))?.samples?.[0]?.id;
    const key = `incoming/tenants/${person.id}/voices/${voice.id}/recordings/${sampleId}`;
    await voices.store.put(key, Buffer.from('else'), { contentType: 'audio/wav' });
    expect((await finalize(person, voice.id)).errors).toMatchObject([
      { code: 'UPLOAD_MISMATCH', path: ['samples', '0'] },
    ]);
    expect(await queued('voices.fit', voice.id)).toBe(0);
  });

  it('asks for consent when only that is lacking', async () => {
    const person = voices.person();
    const voice = await begun(person, [anyFile()]);
    expect((await finalize(person, voice.id)).errors.map(({ code }) => code)).toEqual([
      'UPLOAD_MISSING',
      'CONSENT_REQUIRED',
    ]);
    expect((await read(person, voice.id))?.status).toBe('AWAITING_UPLOAD');
    await voice.upload(0);
    const { errors } = await finalize(person, voice.id);
    expect(errors).toMatchObject([{ __typename: 'ConsentRequiredError', code: 'CONSENT_REQUIRED' }]);
    expect(errors[0]?.statement).toContain('“Lena”');
    expect((await read(person, voice.id))?.status).toBe('AWAITING_CONSENT');
    expect(await queued('voices.fit', voice.id)).toBe(0);
    await consent(person, voice.id);
    expect((await finalize(person, voice.id)).voice?.status).toBe('PROCESSING');
  });

  it('wants the recording of the consent, too, where one was announced', async () => {
    const person = voices.person();
    const voice = await begun(person, [anyFile()]);
    await voice.upload(0);
    const spoken = anyFile();
    const { upload } = await consent(person, voice.id, { recording: announced(spoken), attestation: false });
    expect((await finalize(person, voice.id)).errors).toMatchObject([
      { code: 'UPLOAD_MISSING', path: ['consent', 'recording'] },
    ]);
    if (upload === null) throw new Error('no upload for the consent');
    expect(await put(upload, spoken.bytes)).toBe(200);
    expect((await finalize(person, voice.id)).voice?.status).toBe('PROCESSING');
  });

  it('starts once: the same key replays, another is refused', async () => {
    const person = voices.person();
    const file = anyFile();
    const voice = await begun(person, [file]);
    await voice.upload(0);
    await consent(person, voice.id);
    const key = randomUUID();
    const answers = await Promise.all([1, 2, 3, 4].map(() => finalize(person, voice.id, key)));
    expect(answers.map((answer) => answer.voice?.status)).toEqual(Array.from({ length: 4 }, () => 'PROCESSING'));
    expect(await queued('voices.fit', voice.id)).toBe(1);
    expect((await finalize(person, voice.id)).errors).toMatchObject([
      { code: 'VOICE_ALREADY_FINALIZED', path: ['voiceId'] },
    ]);
    expect((await consent(person, voice.id)).errors).toMatchObject([{ code: 'VOICE_ALREADY_FINALIZED' }]);
    const other = await begun(person, [anyFile()]);
    expect((await finalize(person, other.id, key)).errors).toMatchObject([{ __typename: 'IdempotencyConflictError' }]);
    expect(await queued('voices.fit', voice.id)).toBe(1);
  });

  it('takes up a voice again whose failure may pass, if there is a slot', async () => {
    const person = voices.person();
    const voice = await clone(person, [anyFile()]);
    const fail = (retryable: boolean) =>
      voices.pool.query(`update voices.voices set status = 'FAILED', failure = $2, fitting = null where id = $1`, [
        voice.id,
        { code: 'ENGINE_UNAVAILABLE', message: 'away', retryable },
      ]);
    await fail(false);
    expect((await finalize(person, voice.id)).errors).toMatchObject([{ code: 'VOICE_FAILED' }]);
    await fail(true);
    const others = [
      await begun(person, [anyFile()]),
      await begun(person, [anyFile()]),
      await begun(person, [anyFile()]),
    ];
    expect((await finalize(person, voice.id)).errors).toMatchObject([
      { __typename: 'VoiceLimitError', limit: 3, used: 3 },
    ]);
    await remove(person, others[0]?.id ?? '');
    expect((await finalize(person, voice.id)).voice).toMatchObject({ status: 'PROCESSING', failure: null });
  });
});

describe('deleteVoice', () => {
  it('hides the voice at once, then removes its objects and rows, uploads that were never taken in included', async () => {
    const person = voices.person();
    const voice = await clone(person, [anyFile()], {}, anyFile());
    const prefix = `tenants/${person.id}/voices/${voice.id}/`;
    const taken = `${prefix}recordings/${voice.samples?.[0]?.id}`;
    expect(await voices.store.head(taken)).not.toBeNull();
    await voices.store.put(`incoming/${prefix}recordings/late`, Buffer.from('x'), { contentType: 'audio/wav' });
    await voices.store.put(`${prefix}preview-1.mp3`, Buffer.from('x'), { contentType: 'audio/mpeg' });

    expect(await remove(person, voice.id)).toEqual({ deletedVoiceId: voice.id, errors: [] });
    expect(await read(person, voice.id)).toBeNull();
    expect((await finalize(person, voice.id)).errors).toMatchObject([{ code: 'VOICE_NOT_FOUND' }]);
    expect((await remove(person, voice.id)).errors).toMatchObject([{ code: 'VOICE_NOT_FOUND' }]);
    expect(await queued('voices.clean', voice.id)).toBe(2);

    const job = { ownerId: person.id ?? '', voiceId: voice.id };
    await cleanVoice(voices, job);
    await cleanVoice(voices, job);
    for (const key of [taken, `incoming/${prefix}recordings/late`, `${prefix}preview-1.mp3`]) {
      expect(await voices.store.head(key)).toBeNull();
    }
    for (const table of ['voices', 'samples', 'consents']) {
      const column = table === 'voices' ? 'id' : 'voice_id';
      const { rowCount } = await voices.pool.query(`select from voices.${table} where ${column} = $1`, [voice.id]);
      expect(rowCount).toBe(0);
    }
  });

  it('leaves nothing behind when an upload arrives after the clean-up', async () => {
    const person = voices.person();
    const file = anyFile();
    const { voice, uploads } = await begin(person, { samples: [announced(file)] });
    const [target] = uploads;
    if (voice === null || target === undefined) throw new Error('not begun');
    await remove(person, voice.id);
    const job = { ownerId: person.id ?? '', voiceId: voice.id };
    await cleanVoice(voices, job);
    await put(target, file.bytes);
    const { rows } = await voices.pool.query(
      `select data, extract(epoch from start_after - created_on)::int as delay from jobs.job where name = 'voices.clean' and data->>'voiceId' = $1 order by 2`,
      [voice.id],
    );
    expect(rows).toEqual([
      { data: job, delay: 0 },
      { data: job, delay: 3660 },
    ]);
    await cleanVoice(voices, job);
    expect(
      await voices.store.head(`incoming/tenants/${person.id}/voices/${voice.id}/recordings/${target.sampleId}`),
    ).toBeNull();
  });

  it('never touches a voice that is in use', async () => {
    const person = voices.person();
    const voice = await clone(person, [anyFile()]);
    await cleanVoice(voices, { ownerId: person.id ?? '', voiceId: voice.id });
    const key = `tenants/${person.id}/voices/${voice.id}/recordings/${voice.samples?.[0]?.id}`;
    expect(await voices.store.head(key)).not.toBeNull();
    expect((await read(person, voice.id))?.status).toBe('PROCESSING');
  });
});

describe('revokeVoiceConsent', () => {
  it('ends the voice for good and has its recordings removed', async () => {
    const person = voices.person();
    const voice = await clone(person, [anyFile()]);
    await voices.pool.query(
      `update voices.voices set status = 'READY', profile = '{"engine":"local"}', preview_key = 'p', fitting = null where id = $1`,
      [voice.id],
    );
    const { voice: revoked, errors } = await revoke(person, voice.id);
    expect(errors).toEqual([]);
    expect(revoked).toMatchObject({
      status: 'FAILED',
      failure: { code: 'CONSENT_REVOKED', retryable: false },
      consent: { state: 'REVOKED' },
      match: null,
      previewUrl: null,
    });
    const { rows } = await voices.pool.query('select profile, revision from voices.voices where id = $1', [voice.id]);
    expect(rows).toEqual([{ profile: null, revision: 1 }]);
    expect((await finalize(person, voice.id)).errors).toMatchObject([{ code: 'VOICE_FAILED' }]);
    expect((await consent(person, voice.id)).errors).toMatchObject([{ code: 'VOICE_ALREADY_FINALIZED' }]);
    expect((await revoke(person, voice.id)).voice?.consent?.state).toBe('REVOKED');
    expect(await queued('voices.clean', voice.id)).toBe(2);
    await cleanVoice(voices, { ownerId: person.id ?? '', voiceId: voice.id });
    const key = `tenants/${person.id}/voices/${voice.id}/recordings/${voice.samples?.[0]?.id}`;
    expect(await voices.store.head(key)).toBeNull();
    expect((await read(person, voice.id))?.failure?.code).toBe('CONSENT_REVOKED');
  });

  it('has nothing to do where nobody consented', async () => {
    const person = voices.person();
    const { id } = await begun(person, [anyFile()]);
    expect((await revoke(person, id)).errors).toMatchObject([{ code: 'CONSENT_MISSING', path: ['voiceId'] }]);
  });
});

it('the sweep gives up clones that nobody goes on with, and takes up deletions that got stuck', async () => {
  const person = voices.person();
  const [fresh, stale] = [await begun(person, [anyFile()]), await begun(person, [anyFile()])];
  const processing = await clone(person, [anyFile()]);
  const stuck = await begun(voices.person(), [anyFile()]);
  const age = (id: string, interval: string) =>
    voices.pool.query('update voices.voices set updated_at = now() - $2::interval where id = $1', [id, interval]);
  await age(fresh.id, '23 hours');
  await age(stale.id, '25 hours');
  await age(processing.id, '25 hours');
  await voices.pool.query(`update voices.voices set status = 'DELETING' where id = $1`, [stuck.id]);
  await age(stuck.id, '11 minutes');
  expect(await sweepVoices(voices)).toBe(2);
  expect(await sweepVoices(voices)).toBe(0);
  expect(await read(person, fresh.id)).not.toBeNull();
  expect(await read(person, stale.id)).toBeNull();
  expect((await read(person, processing.id))?.status).toBe('PROCESSING');
  expect([await queued('voices.clean', stale.id), await queued('voices.clean', stuck.id)]).toEqual([2, 2]);
});
