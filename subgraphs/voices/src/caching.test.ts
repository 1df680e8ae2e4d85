import { hearInvalidations, type HeardInvalidations } from '@timbre/platform/testing/heard-invalidations';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { libraryWithoutPreview, upsertLibrary } from './library.ts';
import { sweepVoices } from './sweep.ts';
import {
  announced,
  anyFile,
  begin,
  clone,
  consent,
  finalize,
  followToEnd,
  put,
  remove,
  revoke,
  update,
  type Person,
} from './testing/cloning.ts';
import { startTestVoices, type TestVoices } from './testing/start-test-voices.ts';

let voices: TestVoices;
let heard: HeardInvalidations;
beforeAll(async () => {
  voices = await startTestVoices();
  heard = await hearInvalidations(voices.bus);
});
beforeEach(() => heard.forget());
afterAll(() => voices.close());

const FIELDS = 'id name status fitting consent { state } samples { durationMs } match { paceRatio } failure { code }';

/** Seconds, of each way in which a voice is read. */
async function keptFor(person: Person, id: string) {
  const entities = (type: string, selection: string, key: string | null) =>
    person.keptFor(`query ($r: [_Any!]!) { _entities(representations: $r) { ... on ${type} { ${selection} } } }`, {
      r: [{ __typename: type, id: key }],
    });
  return {
    details: await person.keptFor(`query ($id: ID!) { voice(id: $id) { ${FIELDS} } }`, { id }),
    entity: await entities('Voice', FIELDS, id),
    list: await entities('User', 'voices { totalCount edges { node { id name status } } }', person.id),
  };
}

const IN_MOTION = { details: 10, entity: 10, list: 10 };
const OVER = { details: 300, entity: 300, list: 60 };

const changeOf = (person: Person, id: string) => [
  `Voice ${id} voices`,
  `Voice ${id} users`,
  `User ${String(person.id)} voices`,
];

/** What one step has told, and told once. */
async function told<T>(person: Person, step: () => Promise<T>, idOf: (result: T) => string): Promise<T> {
  heard.forget();
  const result = await step();
  await expect.poll(heard.all).toEqual(changeOf(person, idOf(result)));
  return result;
}

it('what is in motion is kept for seconds, what is over for long; every step is told', async () => {
  const person = voices.person();
  const file = anyFile();
  const { voice, uploads } = await told(
    person,
    () => begin(person, { samples: [announced(file)] }),
    (begun) => begun.voice?.id ?? '',
  );
  const id = voice?.id ?? '';
  const ofIt = () => id;
  expect(await keptFor(person, id)).toEqual(IN_MOTION);
  for (const target of uploads) expect(await put(target, file.bytes)).toBe(200);
  // The recordings are taken in, and the consent is missing.
  await told(person, () => finalize(person, id), ofIt);
  await told(person, () => consent(person, id), ofIt);
  await told(person, () => finalize(person, id), ofIt);
  expect(await keptFor(person, id)).toEqual(IN_MOTION);

  await voices.pool.query(
    `update voices.voices set status = 'READY', fitting = null, revision = 1, profile = '{}' where id = $1`,
    [id],
  );
  expect(await keptFor(person, id)).toEqual(OVER);
  await told(person, () => update(person, id, { name: 'Another' }), ofIt);
  await told(person, () => revoke(person, id), ofIt);
  expect(await keptFor(person, id)).toEqual(OVER);
  await told(person, () => remove(person, id), ofIt);
  expect(await keptFor(person, id)).toMatchObject({ details: 10, entity: 10 });
});

it('what nobody watches is told: a fitting that fails, what is swept', async () => {
  const person = voices.person();
  const worker = await voices.work(null);
  const { id } = await clone(person, [anyFile('RIFF is a nice word, but this is prose.')]);
  await followToEnd(person, id);
  await worker.close();
  await expect.poll(() => heard.all().slice(-3)).toEqual(changeOf(person, id));
  expect(await keptFor(person, id)).toEqual(OVER);

  const { voice } = await begin(person, {});
  const abandoned = voice?.id ?? '';
  heard.forget();
  await voices.db.execute(sql`update voices.voices set updated_at = now() - interval '2 days' where id = ${abandoned}`);
  expect(await sweepVoices(voices)).toBe(1);
  await expect.poll(heard.all).toEqual(changeOf(person, abandoned));
});

it('that the library has changed is told, and that it has not is not', async () => {
  // A worker of the last test has made it.
  expect(await upsertLibrary(voices.db)).toBe(false);
  expect(await libraryWithoutPreview(voices.db)).not.toEqual([]);
  await voices.db.execute(sql`update voices.voices set name = 'Old' where owner_id is null`);
  const worker = await voices.work(null);
  await expect.poll(heard.all).toEqual(['Voice * voices']);
  await worker.close();
});
