import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { compose } from '../testing/compose.ts';
import { listen } from '../testing/listen.ts';
import { startTestRouter } from '../testing/test-router.ts';

const DEPTH = 18;
const TYPES = ['A', 'B', 'C', 'D'];

/** A router on one subgraph, which answers everything with the same. */
async function startAnswering(answer: object) {
  const sdl = `
    interface Item { next: Item }
    ${TYPES.map((name) => `type ${name} implements Item { next: Item }`).join(' ')}
    type Query { item: Item items: [Item] }`;
  const server = createServer((req, res) =>
    req.resume().on('end', () => res.setHeader('content-type', 'application/json').end(JSON.stringify(answer))),
  );
  const url = `${await listen(server)}/graphql`;
  const router = await startTestRouter({ supergraph: compose({ one: sdl }), subgraphUrl: () => url });
  const close = async () => {
    await router.close();
    server.closeAllConnections();
    server.close();
  };
  return { router, close };
}

test('the place of an error is not looked for in every combination of types', async () => {
  const nested = (depth: number): object => ({ __typename: 'A', next: depth === 0 ? null : nested(depth - 1) });
  const steps = Array.from({ length: DEPTH }, () => 'next');
  const { router, close } = await startAnswering({
    data: { item: nested(DEPTH) },
    errors: [{ message: 'Of a field that nobody asked for.', path: ['item', ...steps.slice(1), 'key'] }],
  });
  const query = `{ item { ${'next { '.repeat(DEPTH)} __typename ${'} '.repeat(DEPTH)} } }`;
  const { data, errors } = await router.query(query);
  expect(data).toHaveProperty(['item', ...steps.slice(1)]);
  expect(errors).toMatchObject([{ message: 'Of a field that nobody asked for.', path: ['item', ...steps.slice(1)] }]);
  await close();
});

test('a million errors of a subgraph hold nobody up', async () => {
  const { router, close } = await startAnswering({
    data: { items: [{ __typename: 'A', next: null }] },
    errors: Array.from({ length: 1_000_000 }, () => ({ message: '', path: ['items', 0, 'next'] })),
  });
  const { errors } = await router.query('{ items { next { __typename } } }');
  expect(errors).toHaveLength(1);
  await close();
});
