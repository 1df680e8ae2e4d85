import { cloneVoice } from '@timbre/cli/client/clone-voice';
import { followGeneration, orderSpeech, type GenerationEvent } from '@timbre/cli/client/speak';
import {
  GenerationAlignmentDocument,
  GenerationByIdDocument,
  MeDocument,
  MyGenerationsDocument,
  MyVoicesDocument,
  NodeByIdDocument,
  QuotaChangedDocument,
} from '@timbre/cli/generated/graphql';
import { sampleRecording } from '@timbre/cli/demo/sample-recording';
import { decodeRecording } from '@timbre/speech/decoding/decode-recording';
import { describe, expect, test } from 'vitest';
import { firstModel, libraryVoice } from '../testkit/library.ts';
import { newUser } from '../testkit/users.ts';

const TEXT =
  'The first sentence is short. The second one is a little longer, so that there is something to hear. And a third!';

describe('a person clones a voice and speaks with it', () => {
  test('from a recording to charged, aligned, playable audio', async () => {
    const { client } = await newUser();
    const { me: before } = await client.execute(MeDocument, {});
    expect(before).toMatchObject({
      plan: { tier: 'FREE' },
      quota: { limit: 10_000, used: 0, held: 0, available: 10_000 },
    });

    const fitting: number[] = [];
    const voice = await cloneVoice(client, {
      name: 'Lena',
      speakerName: 'Lena',
      recordings: [sampleRecording('flac')],
      onProgress: (share) => fitting.push(share),
    });
    expect(voice).toMatchObject({ name: 'Lena', status: 'READY', failure: null });
    expect(fitting.length).toBeGreaterThan(1);
    expect(fitting).toEqual(fitting.toSorted((a, b) => a - b));
    // A lively speaker, near the end of what the local engine's pitch and range can reach.
    expect(Math.abs(voice.match?.f0ErrorSemitones ?? 99)).toBeLessThan(2);
    expect(voice.match?.timbreAfter).toBeLessThan(voice.match?.timbreBefore ?? 0);
    const { me: withVoice } = await client.execute(MyVoicesDocument, { first: 10 });
    expect(withVoice?.voices).toMatchObject({ totalCount: 1, edges: [{ node: { id: voice.id, usable: true } }] });

    const modelId = await firstModel(client);
    const id = await orderSpeech(client, { voiceId: voice.id, modelId, text: TEXT, format: 'MP3_44100_128' });
    const events: GenerationEvent[] = [];
    for await (const event of followGeneration(client, id)) events.push(event);
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
    expect(events[0]).toMatchObject({ __typename: 'GenerationProgressed', state: 'QUEUED' });
    expect(events.at(-1)).toMatchObject({ __typename: 'GenerationFinished', state: 'SUCCEEDED' });
    const chunks = events.filter((event) => event.__typename === 'GenerationChunkReady');
    expect(chunks.length).toBeGreaterThan(0);
    for (const { audioUrl } of chunks) expect((await fetch(audioUrl)).status).toBe(200);

    const { generation } = await client.execute(GenerationByIdDocument, { id });
    const price = Math.ceil(TEXT.length * 0.5);
    expect(generation).toMatchObject({
      state: 'SUCCEEDED',
      characterCount: TEXT.length,
      voice: { name: 'Lena' },
      charge: { state: 'COMMITTED', reserved: price, committed: price, released: 0 },
      progress: { charactersDone: TEXT.length, charactersTotal: TEXT.length },
    });
    const audio = await fetch(generation?.audio?.url ?? '');
    expect(audio.headers.get('content-type')).toBe('audio/mpeg');
    const heard = await decodeRecording(new Uint8Array(await audio.arrayBuffer()), {
      maxSeconds: 60,
      maxBytes: 10_000_000,
    });
    // An MP3 decoder adds or drops at most a few frames of 26 ms.
    expect(Math.abs(heard.durationMs - (generation?.audio?.durationMs ?? 0))).toBeLessThan(150);
    const ranged = await fetch(generation?.audio?.url ?? '', { headers: { range: 'bytes=0-99' } });
    expect([ranged.status, (await ranged.arrayBuffer()).byteLength]).toEqual([206, 100]);

    const { generation: aligned } = await client.execute(GenerationAlignmentDocument, {
      id,
      unit: 'WORD',
      fromChar: 0,
      first: 500,
    });
    const words = aligned?.alignment ?? [];
    expect(words.map((word) => word.text.replaceAll(/\W/g, '').toLowerCase())).toEqual(
      TEXT.toLowerCase().match(/\w+/g),
    );
    for (const word of words) expect(TEXT.slice(word.charStart, word.charEnd)).toBe(word.text);
    expect(words.map((word) => word.startMs)).toEqual(words.map((word) => word.startMs).toSorted((a, b) => a - b));
    expect(words.at(-1)?.endMs).toBeLessThanOrEqual(generation?.audio?.durationMs ?? 0);

    const { me: after } = await client.execute(MeDocument, {});
    expect(after?.quota).toMatchObject({ used: price, held: 0, available: 10_000 - price });
    const { me: history } = await client.execute(MyGenerationsDocument, { first: 5 });
    expect(history?.generations?.edges.map((edge) => edge.node.id)).toEqual([id]);
    expect((await client.execute(NodeByIdDocument, { id })).node).toEqual({ __typename: 'Generation', id });
    expect((await client.execute(NodeByIdDocument, { id: voice.id })).node).toEqual({
      __typename: 'Voice',
      id: voice.id,
    });
  });

  test('the same order again comes from the cache and costs nothing', async () => {
    const { client } = await newUser();
    const voiceId = await libraryVoice(client);
    const modelId = await firstModel(client);
    const first = await orderSpeech(client, { voiceId, modelId, text: TEXT });
    for await (const event of followGeneration(client, first)) void event;
    const second = await orderSpeech(client, { voiceId, modelId, text: TEXT });
    for await (const event of followGeneration(client, second)) void event;
    const { generation } = await client.execute(GenerationByIdDocument, { id: second });
    expect(generation).toMatchObject({ state: 'SUCCEEDED', cacheHit: true });
    expect((await fetch(generation?.audio?.url ?? '')).status).toBe(200);
    expect((await client.execute(MeDocument, {})).me?.quota?.used).toBe(Math.ceil(TEXT.length * 0.5));
  });

  test('quotaChanged tells of the hold and of the charge', async () => {
    const { client } = await newUser();
    const voiceId = await libraryVoice(client);
    const modelId = await firstModel(client);
    const price = Math.ceil(TEXT.length * 0.5);
    const seen: { used: number; held: number }[] = [];
    for await (const { quotaChanged: quota } of client.subscribe(QuotaChangedDocument, {})) {
      if (!quota) continue;
      expect(quota.available).toBe(quota.limit - quota.used - quota.held);
      seen.push(quota);
      if (seen.length === 1) await orderSpeech(client, { voiceId, modelId, text: TEXT });
      if (quota.used === price) break;
    }
    expect(seen[0]).toMatchObject({ used: 0, held: 0 });
    expect(seen.at(-1)).toMatchObject({ used: price, held: 0 });
  });
});
