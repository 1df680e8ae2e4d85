import { readSpeakableVoice } from '@timbre/db/voices/read-speakable-voice';
import { readVisibleVoice } from '@timbre/db/voices/read-visible-voice';
import { encodeCursor } from '@timbre/platform/cursor';
import { newId } from '@timbre/platform/ids';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LIBRARY, upsertLibrary } from './library.ts';
import {
  begin,
  consent,
  finalize,
  followToEnd,
  read,
  remove,
  revoke,
  update,
  VOICE,
  voiceSchema,
  type Person,
} from './testing/cloning.ts';
import { startTestVoices, type TestVoices } from './testing/start-test-voices.ts';

let voices: TestVoices;
beforeAll(async () => {
  voices = await startTestVoices();
});
afterAll(() => voices.close());

const pageSchema = z.object({
  edges: z.array(z.object({ cursor: z.string(), node: z.object({ id: z.string(), name: z.string() }) })),
  pageInfo: z.object({
    hasNextPage: z.boolean(),
    hasPreviousPage: z.boolean(),
    startCursor: z.string().nullable(),
    endCursor: z.string().nullable(),
  }),
  totalCount: z.number().nullish(),
});
const PAGE = 'edges { cursor node { id name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';

async function ownVoices(person: Person, args: Record<string, unknown> = {}, of: string | null = person.id, more = '') {
  const query = `query ($of: [_Any!]!, $first: Int! = 20, $after: String, $filter: VoiceFilter) {
    _entities(representations: $of) { ... on User { voices(first: $first, after: $after, filter: $filter) { ${PAGE} ${more} } } }
  }`;
  const shape = z.object({ _entities: z.array(z.object({ voices: pageSchema.nullable() })) });
  const { _entities } = await person.ask(query, { of: [{ __typename: 'User', id: of }], ...args }, shape);
  return _entities[0]?.voices ?? null;
}

async function library(person: Person, args: Record<string, unknown> = {}) {
  const query = `query ($first: Int! = 20, $after: String, $filter: VoiceFilter) {
    voiceLibrary(first: $first, after: $after, filter: $filter) { ${PAGE} totalCount }
  }`;
  return (await person.ask(query, args, z.object({ voiceLibrary: pageSchema }))).voiceLibrary;
}

const names = (page: z.infer<typeof pageSchema> | null) => page?.edges.map(({ node }) => node.name);

async function begun(person: Person, input: Record<string, unknown> = {}): Promise<string> {
  const { voice, errors } = await begin(person, input);
  if (voice === null) throw new Error(JSON.stringify(errors));
  return voice.id;
}

describe("somebody else's voice", () => {
  it('answers like a missing one wherever an id can be given', async () => {
    const [owner, stranger, nobody] = [voices.person(), voices.person(), voices.person(null)];
    const id = await begun(owner);
    await consent(owner, id);
    for (const strange of [id, newId('voi'), 'voi_1', 'gen_0190a000-0000-7000-8000-000000000000', '', "'; drop"]) {
      expect(await read(stranger, strange)).toBeNull();
      expect(await read(nobody, strange)).toBeNull();
      for (const attempt of [
        await consent(stranger, strange),
        await finalize(stranger, strange),
        await update(stranger, strange, { name: 'Mine' }),
        await revoke(stranger, strange),
        await remove(stranger, strange),
      ]) {
        expect(attempt.errors).toMatchObject([
          {
            __typename: 'ValidationError',
            code: 'VOICE_NOT_FOUND',
            message: 'There is no voice of yours with this id.',
          },
        ]);
      }
      await expect(followToEnd(stranger, strange)).rejects.toThrow('NOT_FOUND');
    }
    expect(await read(owner, id)).toMatchObject({ name: 'Lena', status: 'AWAITING_UPLOAD' });
  });

  it('is no entity, has no list and cannot be spoken with', async () => {
    const [owner, stranger] = [voices.person(), voices.person()];
    const id = await begun(owner);
    const query = `query ($of: [_Any!]!) { _entities(representations: $of) { ... on Voice { ...V } } } ${VOICE}`;
    const entities = { of: [id, LIBRARY[0]?.id, newId('voi')].map((each) => ({ __typename: 'Voice', id: each })) };
    const shape = z.object({ _entities: z.array(voiceSchema.nullable()) });
    const seen = async (person: Person) => (await person.ask(query, entities, shape))._entities.map((v) => v?.name);
    expect(await seen(owner)).toEqual(['Lena', 'Ava', undefined]);
    expect(await seen(stranger)).toEqual([undefined, 'Ava', undefined]);
    expect(await seen(voices.person(null))).toEqual([undefined, 'Ava', undefined]);

    expect(names(await ownVoices(owner))).toEqual(['Lena']);
    expect(await ownVoices(stranger, {}, owner.id)).toBeNull();
    expect(await ownVoices(voices.person(null), {}, owner.id)).toBeNull();

    expect(await readSpeakableVoice(voices.db, owner.id ?? '', id)).toMatchObject({
      status: 'AWAITING_UPLOAD',
      profile: null,
    });
    expect(await readSpeakableVoice(voices.db, stranger.id ?? '', id)).toBeNull();
    expect(await readVisibleVoice(voices.db, owner.id, id)).toEqual({ id });
    expect(await readVisibleVoice(voices.db, stranger.id, id)).toBeNull();
    expect(await readVisibleVoice(voices.db, null, id)).toBeNull();
  });
});

describe('the library', () => {
  const [ava] = LIBRARY;
  const id = ava?.id ?? '';

  it('is open to everyone, without an owner, and nobody can change it', async () => {
    const nobody = voices.person(null);
    expect(names(await library(nobody))).toEqual(LIBRARY.map(({ name }) => name));
    const person = voices.person();
    expect(await read(nobody, id)).toMatchObject({
      name: 'Ava',
      kind: 'PREMADE',
      status: 'READY',
      languages: ['en-US'],
    });
    expect(await read(person, id)).toMatchObject({
      owner: null,
      consent: null,
      samples: null,
      match: null,
      failure: null,
    });
    for (const { errors } of [
      await update(person, id, { name: 'Mine' }),
      await remove(person, id),
      await revoke(person, id),
    ]) {
      expect(errors).toMatchObject([{ code: 'VOICE_NOT_FOUND' }]);
    }
    expect(await readSpeakableVoice(voices.db, person.id ?? '', id)).toMatchObject({ status: 'READY', ownerId: null });
    expect((await followToEnd(person, id)).map(({ status }) => status)).toEqual(['READY']);
    expect(names(await ownVoices(person))).toEqual([]);
  });

  it('is searched, filtered and paged', async () => {
    const nobody = voices.person(null);
    const by = async (filter: Record<string, unknown>) => names(await library(nobody, { filter }));
    expect(await by({ language: 'en' })).toEqual(['Ava', 'Marcus', 'Beatrice', 'Alistair']);
    expect(await by({ language: 'EN-gb' })).toEqual(['Beatrice', 'Alistair']);
    expect(await by({ language: 'e' }).catch((error: unknown) => String(error))).toMatch(/BAD_USER_INPUT/);
    expect(await by({ search: ' NARRATION ' })).toEqual(['Marcus']);
    expect(await by({ search: '%' })).toEqual([]);
    expect(await by({ kind: 'CLONED_INSTANT' })).toEqual([]);
    expect(await by({ status: 'READY', language: 'de' })).toEqual(['Lukas']);

    const first = await library(nobody, { first: 4 });
    expect(first.totalCount).toBe(LIBRARY.length);
    expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    const rest = await library(nobody, { first: 100, after: first.pageInfo.endCursor });
    expect(rest.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    expect([...first.edges, ...rest.edges].map(({ node }) => node.name)).toEqual(LIBRARY.map(({ name }) => name));
    expect((await library(nobody, { first: 0 })).edges).toEqual([]);
  });

  it.each([
    ['a negative page', { first: -1 }, /between 0 and 100, not -1/],
    ['a huge page', { first: 101 }, /between 0 and 100, not 101/],
    ['a made-up cursor', { after: 'x' }, /cursor/],
    ['a cursor of another list', { after: Buffer.from('["a"]').toString('base64url') }, /cursor/],
    ['a cursor with a NUL', { after: encodeCursor([0, '\u0000']) }, /cursor/],
    ['a cursor beyond all time', { after: encodeCursor([8.64e15, newId('voi')]) }, /cursor/],
    ['a search without end', { filter: { search: 'x'.repeat(101) } }, /at most 100 characters, not 101/],
    ['a search with a NUL', { filter: { search: 'a\u0000' } }, /control characters/],
    ['a language that is none', { filter: { language: '../../etc' } }, /BCP 47/],
  ])('refuses %s', async (_, args, message) => {
    const query =
      'query ($first: Int! = 20, $after: String, $filter: VoiceFilter) { voiceLibrary(first: $first, after: $after, filter: $filter) { totalCount } }';
    const { data, errors } = await voices.person(null).raw(query, args);
    expect(data).toEqual({ voiceLibrary: null });
    expect(errors?.[0]?.extensions?.code).toBe('BAD_USER_INPUT');
    expect(errors?.[0]?.message).toMatch(message);
  });

  it('keeps its ids, and takes a changed sound for a new revision', async () => {
    await voices.pool.query("update voices.voices set preview_key = 'p', name = 'Old' where id = $1", [id]);
    await upsertLibrary(voices.db);
    const row = async () =>
      (await voices.pool.query('select name, revision, preview_key from voices.voices where id = $1', [id])).rows[0];
    expect(await row()).toEqual({ name: 'Ava', revision: 1, preview_key: 'p' });
    await voices.pool.query(`update voices.voices set profile = profile || '{"pitch": 1}' where id = $1`, [id]);
    await upsertLibrary(voices.db);
    expect(await row()).toEqual({ name: 'Ava', revision: 2, preview_key: null });
  });
});

describe("a person's list", () => {
  it('is paged by creation without loss or repetition, and counts only when asked', async () => {
    const person = voices.person();
    // All in one millisecond: the id has to tell them apart.
    await voices.pool.query(
      `insert into voices.voices (id, owner_id, kind, status, name, created_at)
       select 'voi_' || uuidv7(), $1, 'CLONED_INSTANT', 'AWAITING_UPLOAD', 'v' || n, '2026-01-01T00:00:00.123Z' from generate_series(1, 25) n`,
      [person.id],
    );
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page = await ownVoices(person, { first: 10, after });
      seen.push(...(page?.edges.map(({ node }) => node.id) ?? []));
      after = page?.pageInfo.hasNextPage === true ? page.pageInfo.endCursor : null;
    } while (after !== null);
    expect(seen).toHaveLength(25);
    expect(seen).toEqual(seen.toSorted().toReversed());
    expect((await ownVoices(person, { first: 1 }, person.id, 'totalCount'))?.totalCount).toBe(25);
  });

  it('is read with one query for each kind of row, however long it is', async () => {
    const person = voices.person();
    for (let i = 0; i < 3; i++) await consent(person, await begun(person));
    const query = `query ($of: [_Any!]!) { _entities(representations: $of) { ... on User { voices { edges { node { ...V } } } } } } ${VOICE}`;
    const counted = countQueries(voices.pool);
    await person.ask(query, { of: [{ __typename: 'User', id: person.id }] }, z.unknown());
    expect(counted.stop()).toBe(3);
  });

  it('is counted where a page does not show all of it', async () => {
    const person = voices.person();
    for (let i = 0; i < 3; i++) await begun(person);
    const total = async (args: Record<string, unknown>) => {
      const counted = countQueries(voices.pool);
      const page = await ownVoices(person, args, person.id, 'totalCount');
      return [page?.totalCount, page?.edges.length, counted.stop()];
    };
    expect(await total({})).toEqual([3, 3, 1]);
    expect(await total({ first: 3 })).toEqual([3, 3, 1]);
    expect(await total({ first: 2 })).toEqual([3, 2, 2]);
    expect(await total({ first: 0 })).toEqual([3, 0, 2]);
    const after = (await ownVoices(person, { first: 2 }))?.pageInfo.endCursor;
    expect(await total({ after })).toEqual([3, 1, 2]);
    expect(await total({ filter: { status: 'READY' } })).toEqual([0, 0, 1]);
  });
});

function countQueries(pool: TestVoices['pool']): { stop: () => number } {
  const original: unknown = Reflect.get(pool, 'query');
  let count = 0;
  Object.assign(pool, {
    query: (...args: unknown[]) => {
      count++;
      return typeof original === 'function' ? Reflect.apply(original, pool, args) : undefined;
    },
  });
  return {
    stop() {
      Object.assign(pool, { query: original });
      return count;
    },
  };
}
