import { createHash } from 'node:crypto';
import { generations } from '@timbre/db/tts/tables';
import { voices } from '@timbre/db/voices/tables';
import { decodeWav } from '@timbre/speech/codecs/wav';
import decodeAudio from 'audio-decode';
import { eq } from 'drizzle-orm';
import { parseBuffer } from 'music-metadata';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { discardChunks } from './pipeline/cleaning.ts';
import { charge, commits } from './testing/ledger.ts';
import { startDirectedEngine, type DirectedEngine } from './testing/directed-engine.ts';
import { allEvents, order, read, remove, tokenSchema, type TestEvent } from './testing/operations.ts';
import { startTestTts, type TestTts } from './testing/test-tts.ts';
import { sentences } from './testing/texts.ts';

let tts: TestTts;
let director: DirectedEngine;
beforeAll(async () => {
  tts = await startTestTts();
  director = await startDirectedEngine();
  await tts.work(director);
});
afterAll(async () => {
  await tts.close();
  await director.end();
});

const fetchBytes = async (url: string) => {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
};
const chunkEvents = (events: readonly TestEvent[]) =>
  events.filter((event) => event.__typename === 'GenerationChunkReady');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('a generation', () => {
  test('is spoken, charged by what it says, and tells so in events without gaps', async () => {
    const person = tts.person();
    const text = sentences(4);
    const id = await order(person, { voiceId: await tts.voice(person.id), text });
    const events = await allEvents(person, id);

    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    expect(events[0]).toMatchObject({ state: 'QUEUED', progress: { queuePosition: 0, chunksDone: 0 } });
    expect(events[1]).toMatchObject({ state: 'RUNNING', progress: { queuePosition: null } });
    expect(events.at(-1)).toMatchObject({ __typename: 'GenerationFinished', state: 'SUCCEEDED' });
    expect(events.filter(({ __typename }) => __typename === 'GenerationFinished')).toHaveLength(1);
    const chunks = chunkEvents(events);
    expect(chunks.map(({ chunk }) => chunk.index)).toEqual([0, 1, 2, 3]);
    const progress = events.flatMap((event) => (event.__typename === 'GenerationProgressed' ? [event.progress] : []));
    expect(progress.at(-1)).toMatchObject({ chunksDone: 4, chunksTotal: 4, charactersDone: text.length });

    const generation = await read(person, id);
    expect(generation).toMatchObject({ state: 'SUCCEEDED', text, characterCount: text.length, failure: null });
    expect(generation?.chunks.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
    const price = Math.ceil(text.length / 2);
    expect(await charge(tts, person.id, id)).toEqual({
      state: 'COMMITTED',
      reserved: price,
      committed: price,
      released: 0,
    });
    const paid = await commits(tts, id);
    expect(paid).toHaveLength(4);
    expect(paid.reduce((sum, credits) => sum + credits, 0)).toBe(price);
  });

  test('has chunks that can be heard at once and that make up the whole to the sample', async () => {
    const person = tts.person();
    const text = sentences(4, 'a lighthouse');
    const id = await order(person, { voiceId: await tts.voice(person.id), text, format: 'WAV_44100' });
    const chunks = chunkEvents(await allEvents(person, id));
    const generation = await read(person, id);
    const whole = decodeWav(await fetchBytes(generation?.audio?.url ?? ''));
    let samples = 0;
    for (const { chunk, audioUrl } of chunks) {
      const part = decodeWav(await fetchBytes(audioUrl));
      expect(part.sampleRate).toBe(22_050);
      expect(chunk.startMs).toBe(Math.round((samples / 22_050) * 1000));
      samples += part.samples.length;
      expect(chunk.endMs).toBe(Math.round((samples / 22_050) * 1000));
      expect(part.samples.some((sample) => Math.abs(sample) > 0.05)).toBe(true);
    }
    expect(whole.samples.length).toBe(samples * 2);
    expect(generation?.audio?.durationMs).toBe(Math.round((samples / 22_050) * 1000));
    expect(generation?.chunks.map(({ startMs, endMs }) => [startMs, endMs])).toEqual(
      chunks.map(({ chunk }) => [chunk.startMs, chunk.endMs]),
    );
  });

  test('has words and characters with exact offsets and rising times, the same in events and afterwards', async () => {
    const person = tts.person();
    const text = `Naïve café — “ok”? ${sentences(3, 'a bridge 🌉')}`;
    const id = await order(person, { voiceId: await tts.voice(person.id), text });
    const told = chunkEvents(await allEvents(person, id)).flatMap(({ tokens }) => tokens);
    const generation = await read(person, id);
    const words = generation?.words ?? [];
    expect(told).toEqual(words);
    expect(words.length).toBeGreaterThan(60);
    for (const word of words) expect(word.text).toBe(text.slice(word.charStart, word.charEnd));
    expectRising(words, generation?.audio?.durationMs ?? 0);

    const characters = await alignmentOf(person, id, 'CHARACTER', 0, 5000);
    expect(characters.map((token) => token.text).join('')).toBe(text);
    expect(characters.filter((token) => token.text === '🌉')).toHaveLength(3);
    expectRising(characters, generation?.audio?.durationMs ?? 0);

    const paged = [];
    for (let from = 0; ;) {
      const page = await alignmentOf(person, id, 'WORD', from, 7);
      paged.push(...page);
      const last = page.at(-1);
      if (page.length < 7 || !last) break;
      from = last.charEnd;
    }
    expect(paged).toEqual(words);
    expect(await alignmentOf(person, id, 'WORD', text.length, 10)).toEqual([]);
  });

  test.each([
    ['MP3_44100_128', 44_100],
    ['MP3_22050_64', 22_050],
    ['OGG_VORBIS_44100', 44_100],
    ['WAV_44100', 44_100],
  ])('can be had as %s, as long as it says', async (format, sampleRate) => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(person.id), text: sentences(2, format), format });
    await allEvents(person, id);
    const audio = (await read(person, id))?.audio;
    const bytes = await fetchBytes(audio?.url ?? '');
    expect(audio).toMatchObject({ sizeBytes: bytes.length, sha256: sha256(bytes) });
    const decoded = await decodeAudio(bytes);
    expect(decoded.sampleRate).toBe(sampleRate);
    const decodedMs = ((decoded.channelData[0]?.length ?? 0) / decoded.sampleRate) * 1000;
    expect(Math.abs(decodedMs - (audio?.durationMs ?? 0))).toBeLessThanOrEqual(1);
    const { format: tags } = await parseBuffer(bytes, undefined, { duration: true });
    // It counts the frames, the encoder's delay and padding among them.
    expect(Math.abs((tags.duration ?? 0) * 1000 - (audio?.durationMs ?? 0))).toBeLessThanOrEqual(100);
  });

  test.each([
    ['PCM_22050', 2 * 22_050],
    ['ULAW_8000', 8_000],
  ])('can be had as %s by who pays for it', async (format, bytesPerSecond) => {
    const person = tts.person();
    await tts.plan(person.id, 'plan_basic');
    const id = await order(person, { voiceId: await tts.voice(person.id), text: 'Short and bare.', format });
    await allEvents(person, id);
    const audio = (await read(person, id))?.audio;
    expect(audio?.durationMs).toBe(Math.round(((audio?.sizeBytes ?? 0) / bytesPerSecond) * 1000));
  });

  test.each([
    ['emoji alone', '😀😀 🎉'],
    ['right to left', 'שלום עולם. مرحبا بالعالم.'],
    ['marks alone', '…?!'],
    ['one letter', 'a'],
  ])('of %s comes to a good end', async (_, text) => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(person.id), text });
    expect((await allEvents(person, id)).at(-1)).toMatchObject({ state: 'SUCCEEDED' });
    const generation = await read(person, id);
    expect(generation?.audio?.durationMs).toBeGreaterThan(0);
    expect((await fetchBytes(generation?.audio?.url ?? '')).length).toBe(generation?.audio?.sizeBytes);
  });

  test('is slower or faster as asked', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    const length = async (speed: number) => {
      const id = await order(person, { voiceId, text: 'The same words at another pace.', settings: { speed } });
      await allEvents(person, id);
      return (await read(person, id))?.audio?.durationMs ?? 0;
    };
    const [slow, fast] = [await length(0.5), await length(2)];
    expect(slow / fast).toBeGreaterThan(2.5);
  });
});

type Token = z.infer<typeof tokenSchema>;
function expectRising(tokens: readonly Token[], durationMs: number) {
  let last = { endMs: 0, charEnd: 0 };
  for (const token of tokens) {
    expect(token.charStart).toBeGreaterThanOrEqual(last.charEnd);
    expect(token.startMs).toBeGreaterThanOrEqual(last.endMs);
    expect(token.endMs).toBeGreaterThanOrEqual(token.startMs);
    last = token;
  }
  // The encoder's padding may add to the end, never take from it; both are rounded, each for itself.
  expect(last.endMs).toBeLessThanOrEqual(durationMs + 1);
  expect(last.endMs).toBeGreaterThan(durationMs - 500);
}

async function alignmentOf(
  person: ReturnType<TestTts['person']>,
  id: string,
  unit: string,
  fromChar: number,
  first: number,
) {
  const { out } = await person.ask(
    `query ($id: ID!, $unit: AlignmentUnit!, $fromChar: Int!, $first: Int!) {
      out: generation(id: $id) {
        alignment(unit: $unit, fromChar: $fromChar, first: $first) { text charStart charEnd startMs endMs }
      }
    }`,
    { id, unit, fromChar, first },
    z.object({ out: z.object({ alignment: z.array(tokenSchema) }) }),
  );
  return out.alignment;
}

describe('the same request again', () => {
  test('is answered from the cache at once, for nothing, with the same events', async () => {
    const person = tts.person();
    const input = { voiceId: await tts.voice(person.id), text: sentences(2, 'a cache') };
    const first = await order(person, input);
    const events = await allEvents(person, first);
    const spoken = director.spoken.length;

    const second = await order(person, input);
    expect(second).not.toBe(first);
    const again = await allEvents(person, second);
    expect(director.spoken).toHaveLength(spoken);
    expect(await charge(tts, person.id, second)).toBeNull();
    expect(again.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(chunkEvents(again).map(({ tokens }) => tokens)).toEqual(chunkEvents(events).map(({ tokens }) => tokens));
    const [a, b] = [await read(person, first), await read(person, second)];
    expect(b).toMatchObject({ cacheHit: true, state: 'SUCCEEDED', audio: { sha256: a?.audio?.sha256 } });
    expect(b?.words).toEqual(a?.words);
    await fetchBytes(b?.audio?.url ?? '');

    const { data } = await person.raw(
      'query ($input: EstimateInput!) { estimateGeneration(input: $input) { credits cached } }',
      { input: { ...input, modelId: 'local-1' } },
    );
    expect(data).toEqual({ estimateGeneration: { credits: 0, cached: true } });
  });

  test('by somebody else, in another format or pace, or after the voice changed, is spoken anew', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(null);
    const input = { voiceId, text: 'Who said that?' };
    await allEvents(person, await order(person, input));
    const hit = async (who: ReturnType<TestTts['person']>, change: object) => {
      const id = await order(who, { ...input, ...change });
      await allEvents(who, id);
      return (await read(who, id))?.cacheHit;
    };
    expect(await hit(tts.person(), {})).toBe(false);
    expect(await hit(person, { format: 'WAV_44100' })).toBe(false);
    expect(await hit(person, { settings: { speed: 1.1 } })).toBe(false);
    expect(await hit(person, { text: 'Who said that? ' })).toBe(false);
    expect(await hit(person, {})).toBe(true);
    await tts.db.update(voices).set({ revision: 2 }).where(eq(voices.id, voiceId));
    expect(await hit(person, {})).toBe(false);
  });

  test('is not answered with the sound of a voice that is no longer the caller’s to use', async () => {
    const person = tts.person();
    const voiceId = await tts.voice(person.id);
    await allEvents(person, await order(person, { voiceId, text: 'Gone soon.' }));
    await tts.db.update(voices).set({ status: 'DELETING' }).where(eq(voices.id, voiceId));
    await expect(order(person, { voiceId, text: 'Gone soon.' })).rejects.toThrow('VOICE_NOT_FOUND');
  });
});

describe('what is stored', () => {
  test('goes with the last generation that uses it', async () => {
    const person = tts.person();
    const input = { voiceId: await tts.voice(person.id), text: 'Shared sound.' };
    const first = await order(person, input);
    await allEvents(person, first);
    const copy = await order(person, input);
    const url = (await read(person, copy))?.audio?.url ?? '';
    expect(await remove(person, [first])).toMatchObject({ deletedIds: [first], errors: [] });
    await fetchBytes(url);
    expect(await remove(person, [copy])).toMatchObject({ deletedIds: [copy], errors: [] });
    await expect.poll(async () => (await fetch(url)).status).toBe(404);
    const third = await order(person, input);
    await allEvents(person, third);
    expect((await read(person, third))?.cacheHit).toBe(false);
  });

  test('chunks that were discarded are heard as parts of the whole', async () => {
    const person = tts.person();
    const id = await order(person, { voiceId: await tts.voice(person.id), text: sentences(2, 'a part') });
    const before = chunkEvents(await allEvents(person, id));
    const [row] = await tts.db.select().from(generations).where(eq(generations.id, id));
    await discardChunks(tts.db, tts.store, row?.renderingId ?? '');
    expect((await fetch(before[0]?.audioUrl ?? '')).status).toBe(404);
    const after = chunkEvents(await allEvents(person, id));
    expect(after.map(({ tokens }) => tokens)).toEqual(before.map(({ tokens }) => tokens));
    expect(after[1]?.audioUrl).toMatch(/\.mp3\?.*#t=\d+\.\d{3},\d+\.\d{3}$/);
    await fetchBytes(after[1]?.audioUrl ?? '');
  });
});
