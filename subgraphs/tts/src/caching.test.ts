import { AppError } from '@timbre/platform/errors';
import { hearInvalidations, type HeardInvalidations } from '@timbre/platform/testing/heard-invalidations';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { tellModels } from './services/notify.ts';
import { startDirectedEngine, type DirectedEngine, gate } from './testing/directed-engine.ts';
import { allEvents, cancel, order, remove, retry } from './testing/operations.ts';
import { startTestTts, type Person, type TestTts } from './testing/test-tts.ts';
import { sentences } from './testing/texts.ts';

let tts: TestTts;
let director: DirectedEngine;
let heard: HeardInvalidations;
beforeAll(async () => {
  tts = await startTestTts();
  director = await startDirectedEngine();
  heard = await hearInvalidations(tts.bus);
});
beforeEach(() => heard.forget());
afterAll(async () => {
  await tts.close();
  await director.end();
});

const FIELDS = 'id state progress { queuePosition chunksDone } audio { url } failure { code } alignment { text }';

/** Seconds, of each way in which a generation is read. */
async function keptFor(person: Person, id: string, voiceId: string) {
  const who = { representations: [{ __typename: 'User', id: person.id }] };
  const entities = (type: string, selection: string, representations: object[]) =>
    person.keptFor(
      `query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on ${type} { ${selection} } } }`,
      { representations },
    );
  const list = `generations { edges { cursor node { ${FIELDS} } } pageInfo { hasNextPage } }`;
  return {
    details: await person.keptFor(`query ($id: ID!) { generation(id: $id) { ${FIELDS} voice { id } } }`, { id }),
    chunks: await person.keptFor('query ($id: ID!) { generation(id: $id) { chunks { state startMs } } }', { id }),
    entity: await entities('Generation', FIELDS, [{ __typename: 'Generation', id }]),
    list: await entities('User', list, who.representations),
    ofVoice: await entities('Voice', list, [{ __typename: 'Voice', id: voiceId }]),
  };
}

const IN_QUEUE = { details: 2, chunks: 2, entity: 2, list: 10, ofVoice: 2 };
const RUNNING = { details: 10, chunks: 2, entity: 10, list: 10, ofVoice: 10 };
const OVER = { details: 300, chunks: 300, entity: 300, list: 300, ofVoice: 10 };

test('what is over is kept for long, what is in motion for seconds; whatever changes is told', async () => {
  const person = tts.person();
  const voiceId = await tts.voice(person.id);
  await expect
    .poll(() => keptFor(person, 'gen_nothing', voiceId))
    .toMatchObject({ details: 10, entity: 10, list: 300 });

  const id = await order(person, { voiceId, text: sentences(2, 'a cache') });
  const uncharged = [`Generation ${id}`, `User ${person.id} tts`];
  const charged = [...uncharged, `User ${person.id} billing`];
  await expect.poll(heard.all).toEqual(charged);
  expect(await keptFor(person, id, voiceId)).toEqual(IN_QUEUE);

  const [asked, answered] = [gate(), gate()];
  director.before = () => {
    asked.open();
    return answered.opened;
  };
  heard.forget();
  await tts.work(director);
  await asked.opened;
  await expect.poll(heard.all).toEqual(uncharged);
  expect(await keptFor(person, id, voiceId)).toEqual(RUNNING);

  heard.forget();
  answered.open();
  await allEvents(person, id);
  // Two chunks and the end.
  await expect.poll(heard.all).toEqual([...charged, ...charged, ...charged]);
  expect(await keptFor(person, id, voiceId)).toEqual(OVER);

  heard.forget();
  await remove(person, [id]);
  await expect.poll(heard.all).toEqual(uncharged);
});

test('a generation that fails, begins again, or is canceled is told of', async () => {
  const person = tts.person();
  const voiceId = await tts.voice(person.id);
  director.before = () => {
    throw new AppError('BAD_USER_INPUT', 'This cannot be said.');
  };
  const id = await order(person, { voiceId, text: sentences(1, 'a failure') });
  const uncharged = [`Generation ${id}`, `User ${person.id} tts`];
  const charged = [...uncharged, `User ${person.id} billing`];
  await allEvents(person, id);
  // Taken in, begun, its chunk given up, ended.
  await expect.poll(heard.all).toEqual([...charged, ...uncharged, ...uncharged, ...charged]);
  expect(await keptFor(person, id, voiceId)).toEqual(OVER);

  const [asked, answered] = [gate(), gate()];
  director.before = () => {
    asked.open();
    return answered.opened;
  };
  heard.forget();
  await retry(person, id);
  await asked.opened;
  await expect.poll(heard.all).toEqual([...charged, ...uncharged]);
  expect(await keptFor(person, id, voiceId)).toEqual(RUNNING);

  heard.forget();
  await cancel(person, id);
  await expect.poll(heard.all).toEqual(charged);
  answered.open();
  expect(await keptFor(person, id, voiceId)).toEqual(OVER);
});

test('which models there are is told', async () => {
  const person = tts.person();
  const usable = `query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Voice { usable } } }`;
  expect(await person.keptFor('{ models { id name } }')).toBe(60);
  expect(
    await person.keptFor(usable, { representations: [{ __typename: 'Voice', id: 'voi_1', status: 'READY' }] }),
  ).toBe(60);
  await tellModels(tts.bus);
  await expect.poll(heard.all).toEqual(['Model * tts', 'Voice * tts']);
});
