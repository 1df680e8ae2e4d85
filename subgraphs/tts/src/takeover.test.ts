import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { recordAbandonment, recordChunk } from './pipeline/record.ts';
import { beginRun } from './pipeline/run.ts';
import { beginChunkAttempt, readChunksFrom } from './repos/chunks.ts';
import { readOwnGenerations, readTexts } from './repos/generations.ts';
import { begin, expectSettled } from './testing/begin.ts';
import { gate, startDirectedEngine, type DirectedEngine } from './testing/directed-engine.ts';
import { commits } from './testing/ledger.ts';
import { allEvents, cancel, read } from './testing/operations.ts';
import { startTestTts, type TestTts } from './testing/test-tts.ts';

let tts: TestTts;
let director: DirectedEngine;
beforeAll(async () => {
  tts = await startTestTts();
  director = await startDirectedEngine();
  await tts.work(director);
});
afterEach(() => {
  director.before = () => undefined;
});
afterAll(async () => {
  await tts.close();
  await director.end();
});

describe('a worker that was taken for dead', () => {
  test('can write nothing once another has taken over', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const { id } = await begin(tts, person, 2, 'a takeover');
    // The worker holds the run by now; this is what another worker would do.
    await expect.poll(async () => (await read(person, id))?.state).toBe('RUNNING');
    const run = await beginRun(tts.db, id);
    if (!run) throw new Error('There was nothing to take over.');
    const [chunk] = run.chunks;
    if (!chunk) throw new Error('The generation has no chunks.');
    expect(run.number).toBe(2);
    // Whoever took over speaks the chunk that the first one has in hand as well.
    const owned = { generationId: id, renderingId: run.generation.renderingId, token: run.token };
    for (const { index } of run.chunks) expect(await beginChunkAttempt(tts.db, owned, index)).toBeGreaterThan(0);
    const stale = { ...run, token: 'another' };
    const sound = { audioKey: 'k', sampleCount: 10, words: [], sampleRate: 22_050 };
    await expect(recordChunk(tts.db, stale, chunk, sound)).rejects.toThrow('over');
    door.open();
    // The first worker, let go, finds the generation another's and leaves it alone.
    await expect.poll(() => director.spoken.filter((text) => text.includes('a takeover')).length).toBeGreaterThan(0);
    expect(await commits(tts, id)).toEqual([]);
    expect((await read(person, id))?.state).toBe('RUNNING');

    const ended = await recordAbandonment(tts.db, id, { code: 'X', message: 'Nobody could.', retryable: true });
    expect(ended?.id).toBe(id);
    expect((await allEvents(person, id)).at(-1)).toMatchObject({ state: 'FAILED' });
    await expectSettled(tts, person, 0);
    expect(await recordAbandonment(tts.db, id, { code: 'X', message: '', retryable: true })).toBeNull();
  });

  test('a commit that went unnoticed is not made twice', async () => {
    const person = tts.person();
    const door = gate();
    director.before = () => door.opened;
    const { id, lengths } = await begin(tts, person, 2, 'an echo');
    await expect.poll(async () => (await read(person, id))?.chunks[0]?.state).toBe('RUNNING');
    const [row] = await tts.pool
      .query('select run_token from tts.generations where id = $1', [id])
      .then(({ rows }) => rows);
    const run = { ...(await runOf(id)), token: String(row.run_token) };
    const [chunk] = run.chunks;
    if (!chunk) throw new Error('The generation has no chunks.');
    const sound = { audioKey: 'tts/x/y/chunks/0-1.wav', sampleCount: 100, words: [], sampleRate: 22_050 };
    await recordChunk(tts.db, run, chunk, sound);
    await recordChunk(tts.db, run, chunk, sound);
    expect(await commits(tts, id)).toEqual([Math.ceil((lengths[0] ?? 0) / 2)]);
    expect((await read(person, id))?.progress.chunksDone).toBe(1);
    await cancel(person, id);
    door.open();
  });
});

/** A run as a worker has it in hand, read without taking the generation over. */
async function runOf(id: string) {
  const [ownerRow] = await tts.pool
    .query('select owner_id from tts.generations where id = $1', [id])
    .then(({ rows }) => rows);
  const [generation] = await readOwnGenerations(tts.db, String(ownerRow.owner_id), [id]);
  const [text] = await readTexts(tts.db, [id]);
  if (!generation || !text) throw new Error('There is no such generation.');
  return { generation, text, chunks: await readChunksFrom(tts.db, generation.renderingId, 0, 100), number: 1 };
}
