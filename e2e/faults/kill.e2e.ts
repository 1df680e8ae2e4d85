import { speechText } from '@timbre/cli/bench/speech-text';
import { followGeneration, orderSpeech } from '@timbre/cli/client/speak';
import { GenerationByIdDocument, MeDocument } from '@timbre/cli/generated/graphql';
import { balances } from '@timbre/db/billing/tables';
import { createDb } from '@timbre/db/client';
import { decodeRecording } from '@timbre/speech/decoding/decode-recording';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { childPids } from '../testkit/child-pids.ts';
import { firstModel, libraryVoice } from '../testkit/library.ts';
import { ownSystem } from '../testkit/own-system.ts';
import { signIn } from '../testkit/users.ts';

let system: Awaited<ReturnType<typeof ownSystem>>;
beforeAll(async () => {
  system = await ownSystem();
});
afterAll(() => system.stop());

const pidOf = (name: string) => system.processes()[name]?.pid ?? 0;

const TARGETS: Record<string, () => number[]> = {
  'the tts worker': () => [pidOf('tts-worker')],
  'the engine': () => childPids(pidOf('tts-worker')),
  'the router': () => [pidOf('router')],
  PostgreSQL: () => [pidOf('postgres')],
};

test.each(Object.keys(TARGETS))(
  'kill -9 of %s in the middle of twenty chunks costs no event, no sound and no credit',
  async (name) => {
    const { client } = await signIn(system, { email: `${name.replaceAll(' ', '-').toLowerCase()}@example.com` });
    const text = speechText(5000, name);
    const id = await orderSpeech(client, {
      voiceId: await libraryVoice(client),
      modelId: await firstModel(client),
      text,
    });
    const sequences: number[] = [];
    const chunks: number[] = [];
    let killed: number[] = [];
    for await (const event of followGeneration(client, id)) {
      sequences.push(event.sequence);
      if (event.__typename !== 'GenerationChunkReady') continue;
      chunks.push(event.chunk.index);
      if (chunks.length === 3) {
        killed = TARGETS[name]?.() ?? [];
        for (const pid of killed) process.kill(pid, 'SIGKILL');
      }
    }
    expect(killed.length, 'processes killed').toBeGreaterThan(0);
    expect(sequences, system.said()).toEqual(sequences.map((_, index) => index + 1));
    expect(chunks.length).toBeGreaterThanOrEqual(19);
    expect(chunks.toSorted((a, b) => a - b)).toEqual(chunks.map((_, index) => index));

    const { generation } = await client.execute(GenerationByIdDocument, { id });
    const price = Math.ceil(text.length * 0.5);
    expect(generation).toMatchObject({
      state: 'SUCCEEDED',
      charge: { state: 'COMMITTED', reserved: price, committed: price, released: 0 },
    });
    const audio = await fetch(generation?.audio?.url ?? '');
    const heard = await decodeRecording(new Uint8Array(await audio.arrayBuffer()), {
      maxSeconds: 3600,
      maxBytes: 100_000_000,
    });
    expect(Math.abs(heard.durationMs - (generation?.audio?.durationMs ?? 0))).toBeLessThan(200);

    const { me } = await client.execute(MeDocument, {});
    expect(me?.quota).toMatchObject({ used: price, held: 0 });
    const database = createDb(system.databaseUrl, { max: 1 });
    onTestFinished(() => database.close());
    const [balance] = await database.db
      .select()
      .from(balances)
      .where(eq(balances.userId, me?.id ?? ''));
    expect(balance).toMatchObject({ used: price, committed: price, held: 0, openHolds: 0 });
  },
);
