import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { partKeysOf } from './part-keys.ts';

const operation = { subgraph: 'a', kind: 'query', query: '', operationName: undefined } as const;
const keysOf = (representations: unknown[], others: object = {}) =>
  partKeysOf('entities', { operation, variables: { representations, ...others } });

/** What could be taken for what is around it, in a key. */
const pieces = fc.constantFrom('User', 'id', 'a', '1', '0', ' ', '4 2 ', '\n', '"', '{', '}', '#', ':', ',', '\\', '');
const text = fc.array(pieces, { maxLength: 5 }).map((all) => all.join(''));
const value = fc.oneof(text, fc.nat(3), fc.constant(null), fc.record({ id: text }), fc.array(text, { maxLength: 2 }));
const representation = fc.oneof(
  fc.record({ __typename: text, id: text }),
  fc.record({ id: value, __typename: text }),
  fc.tuple(text, text, text).map(([type, field, id]) => ({ __typename: type, [field]: id })),
  fc.dictionary(fc.oneof(text, fc.constantFrom('__typename', '__proto__')), value, { maxKeys: 3 }),
);

test('entities have the same key where they are the same, in whatever order, and nowhere else', () => {
  const property = fc.property(representation, representation, (one, other) => {
    const [first, second] = keysOf([one, other]).keys;
    expect(first === second).toBe(canonicalJson(one) === canonicalJson(other));
    expect(keysOf([other]).keys).toEqual([second]);
  });
  fc.assert(property, { numRuns: 20_000 });
});

test.each([
  [
    { __typename: 'User', id: '1' },
    { __typename: 'Useri', d: '1' },
  ],
  [
    { __typename: 'User', id: '1' },
    { __typename: 'User', i: 'd1' },
  ],
  [
    { __typename: 'User', id: '1' },
    { __typename: 'User', id: 1 },
  ],
  [
    { __typename: 'User', id: '1' },
    { id: 'User', __typename: '1' },
  ],
  [{ __typename: 'User', id: '1' }, { id: '1' }],
  [
    { __typename: 'User', id: '1' },
    { __typename: 'User', id: '1', name: null },
  ],
  [
    { __typename: 'User', id: 'x'.repeat(500) },
    { __typename: 'User', id: 'x'.repeat(501) },
  ],
])('%j is not %j', (one, other) => {
  const [first, second] = keysOf([one, other]).keys;
  expect(first).not.toBe(second);
  expect(first).toBe(keysOf([one]).keys[0]);
});

test('what is given beside the representations counts, and nothing is what is not given', () => {
  const given = (others: object) => keysOf([], others).given;
  expect(given({})).toBe('');
  expect(given({ a: 1, b: { d: 1, c: 2 } })).toBe(given({ b: { c: 2, d: 1 }, a: 1 }));
  expect(given({ a: 1 })).not.toBe(given({ a: '1' }));
  expect(given({ a: null })).not.toBe(given({}));
});

test('long keys are short', () => {
  for (const key of keysOf([{ __typename: 'User', id: 'x'.repeat(5_000) }]).keys) expect(key.length).toBeLessThan(100);
});
