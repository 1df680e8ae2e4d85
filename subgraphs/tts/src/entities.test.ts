import { readOwnGeneration } from '@timbre/db/tts/read-own-generation';
import { newId } from '@timbre/platform/ids';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { cancel, order, read, remove, retry } from './testing/operations.ts';
import { LOCAL_MODEL, startTestTts, type TestTts } from './testing/test-tts.ts';

// Nothing is spoken here: what is taken stays in the queue.
let tts: TestTts;
beforeAll(async () => {
  tts = await startTestTts();
});
afterAll(() => tts.close());

async function entities(person: ReturnType<TestTts['person']>, representations: object[]) {
  const { out } = await person.ask(
    `query ($representations: [_Any!]!) { out: _entities(representations: $representations) {
      __typename
      ... on Generation { id state text }
      ... on Voice { id usable generations(first: 2) { edges { node { id } } } }
      ... on User { id generations { edges { node { id } } } }
      ... on Model { id name }
    } }`,
    { representations },
    z.object({ out: z.array(z.looseObject({}).nullable()) }),
  );
  return out;
}

describe('entities', () => {
  test('a voice is usable when it is ready and there is an engine', async () => {
    const person = tts.person();
    const voice = (status: string) => ({ __typename: 'Voice', id: newId('voi'), status });
    expect(await entities(person, [voice('READY'), voice('PROCESSING')])).toMatchObject([
      { usable: true },
      { usable: false },
    ]);
    tts.setModels([]);
    try {
      expect(await entities(person, [voice('READY')])).toMatchObject([{ usable: false }]);
    } finally {
      tts.setModels([LOCAL_MODEL]);
    }
  });

  test('a voice lists the viewer’s own generations, a user only their own', async () => {
    const [a, b] = [tts.person(), tts.person()];
    const voiceId = await tts.voice(null);
    const mine = [
      await order(a, { voiceId, text: 'One.' }),
      await order(a, { voiceId, text: 'Two.' }),
      await order(a, { voiceId, text: 'Three.' }),
    ];
    await order(b, { voiceId, text: 'Four.' });
    const other = await tts.voice(a.id);
    const [shared, empty, self, stranger] = await entities(a, [
      { __typename: 'Voice', id: voiceId },
      { __typename: 'Voice', id: other },
      { __typename: 'User', id: a.id },
      { __typename: 'User', id: b.id },
    ]);
    const edges = (...ids: (string | undefined)[]) => ({ generations: { edges: ids.map((id) => ({ node: { id } })) } });
    expect(shared).toMatchObject(edges(mine[2], mine[1]));
    expect(empty).toMatchObject(edges());
    expect(self).toMatchObject(edges(mine[2], mine[1], mine[0]));
    expect(stranger).toMatchObject({ generations: null });
  });

  test('a model by its id, nothing for an unknown one', async () => {
    const model = (id: string) => ({ __typename: 'Model', id });
    expect(await entities(tts.person(), [model('local-1'), model('other')])).toMatchObject([
      { name: 'Timbre Local' },
      null,
    ]);
  });
});

describe('a stranger’s generation answers like a missing one', () => {
  test('wherever it is asked for', async () => {
    const owner = tts.person();
    const stranger = tts.person();
    const id = await order(owner, { voiceId: await tts.voice(owner.id), text: 'Private.' });
    const missing = newId('gen');
    const hide = (value: unknown, of: string) => JSON.stringify(value).replaceAll(of, '…');
    for (const ask of [
      (which: string) => read(stranger, which),
      (which: string) => cancel(stranger, which),
      (which: string) => retry(stranger, which, 'k'),
      (which: string) => remove(stranger, [which]),
      (which: string) => entities(stranger, [{ __typename: 'Generation', id: which }]),
      (which: string) => readOwnGeneration(tts.db, stranger.id, which),
    ]) {
      expect(hide(await ask(id), id)).toBe(hide(await ask(missing), missing));
    }
    expect(await readOwnGeneration(tts.db, owner.id, id)).toEqual({ id });
    expect((await read(owner, id))?.state).toBe('QUEUED');
  });

  test('and so does what is no id at all', async () => {
    const person = tts.person();
    const id = 'gen_\u0000';
    expect(await read(person, id)).toBeNull();
    for (const { errors } of [await cancel(person, id), await retry(person, id, 'k'), await remove(person, [id])]) {
      expect(errors).toMatchObject([{ code: 'GENERATION_NOT_FOUND' }]);
    }
  });
});
