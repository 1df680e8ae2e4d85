import { expect, test } from 'vitest';
import { decodeCursor, encodeCursor, pageSize, toConnection } from './cursor.ts';
import { idType, newId } from './ids.ts';

test('a cursor gives back the sort key', () => {
  const parts = ['2026-01-31T10:00:00.000Z', 7, 'voi_ü'];
  expect(decodeCursor(encodeCursor(parts))).toEqual(parts);
});

test.each([
  '',
  '!!',
  'eyJhIjoxfQ',
  encodeCursor(['a']) + 'A',
  'x'.repeat(5_000),
  Buffer.from('[[1]]').toString('base64url'),
])('a cursor that we did not make is bad input: %.20s', (cursor) => {
  expect(() => decodeCursor(cursor)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
});

test('a page has 20 rows unless asked otherwise', () => {
  expect(pageSize(undefined)).toBe(20);
  expect(pageSize(null)).toBe(20);
  expect(pageSize(0)).toBe(0);
  expect(pageSize(100)).toBe(100);
});

test.each([-1, 101, 1.5])('a page of %d rows is refused with the limit and what was sent', (first) => {
  const refusal = { code: 'BAD_USER_INPUT', details: { argument: 'first', minimum: 0, maximum: 100, sent: first } };
  expect(() => pageSize(first)).toThrow(expect.objectContaining(refusal));
});

test('the extra row says that there is another page and is not shown', () => {
  const connection = toConnection(['a', 'b', 'c'], 2, (row) => [row]);
  expect(connection.edges.map(({ node }) => node)).toEqual(['a', 'b']);
  expect(connection.pageInfo).toEqual({
    hasNextPage: true,
    hasPreviousPage: false,
    startCursor: encodeCursor(['a']),
    endCursor: encodeCursor(['b']),
  });
  expect(toConnection([], 2, () => ['x']).pageInfo.endCursor).toBeNull();
  expect(toConnection(['c'], 2, (row) => [row], { after: 'b' }).pageInfo).toMatchObject({
    hasNextPage: false,
    hasPreviousPage: true,
  });
});

test('an id names its type, and only an id of our form does', () => {
  const id = newId('voi');
  expect(idType(id)).toBe('voi');
  expect(newId('voi') > id).toBe(true);
  for (const bad of [
    '',
    'voi_',
    'voi_1',
    id.toUpperCase(),
    `${id}0`,
    id.replace('voi', 'zzz'),
    'plan_free',
    `${id}\n`,
  ]) {
    expect(idType(bad)).toBeNull();
  }
});
