import { expect, test } from 'vitest';
import { post } from '../testkit/post.ts';
import { newUser } from '../testkit/users.ts';

test('a query 10,000 fields deep is refused by its limit', async () => {
  const { token } = await newUser();
  const answer = await post(`${'{ me '.repeat(10_000)}{ id }${'}'.repeat(10_000)}`, { token });
  expect(answer.codes).toEqual(['OPERATION_LIMIT_EXCEEDED']);
  expect(answer.errors?.[0]?.message).toMatch(/\d/);
});

test('fifty aliases are refused by their limit', async () => {
  const { token } = await newUser();
  const aliases = Array.from({ length: 50 }, (_, i) => `a${i}: me { id }`).join(' ');
  const answer = await post(`{ ${aliases} }`, { token });
  expect(answer.codes).toEqual(['OPERATION_LIMIT_EXCEEDED']);
  expect(answer.errors?.[0]?.message).toContain('50');
});

test('a query that would cost too much is refused before it runs', async () => {
  const { token } = await newUser();
  const answer = await post(
    '{ me { voices(first: 100) { edges { node { generations(first: 100) { edges { node { voice { generations(first: 100) { edges { node { id } } } } } } } } } } } }',
    { token },
  );
  expect(answer.codes).toEqual(['COST_ESTIMATED_TOO_EXPENSIVE']);
});

test.each([-1, 101])('first: %i is refused with the limit and what was sent', async (first) => {
  const { token } = await newUser();
  const answer = await post('query($first: Int!) { voiceLibrary(first: $first) { edges { node { id } } } }', {
    token,
    variables: { first },
  });
  expect(answer.data?.['voiceLibrary'] ?? null).toBeNull();
  expect(answer.codes).toEqual(['BAD_USER_INPUT']);
  expect(answer.errors?.[0]?.message).toContain('100');
  expect(answer.errors?.[0]?.message).toContain(String(first));
});

test('a body of 10 MB is refused with the limit', async () => {
  const { token } = await newUser();
  const answer = await post(`{ me { id } } # ${'x'.repeat(10_000_000)}`, { token });
  expect(answer.status).toBe(413);
  expect(answer.codes).toEqual(['PAYLOAD_TOO_LARGE']);
});

test('a cursor that is not ours is refused', async () => {
  const { token } = await newUser();
  const answer = await post('{ voiceLibrary(first: 1, after: "nonsense") { edges { node { id } } } }', { token });
  expect(answer.codes).toEqual(['BAD_USER_INPUT']);
});
