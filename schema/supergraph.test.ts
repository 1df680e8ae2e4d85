import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { composeSupergraph, SUPERGRAPH_FILE } from './compose.ts';

test('the committed supergraph is what the subgraph schemas compose to (npm run compose)', () => {
  expect(readFileSync(SUPERGRAPH_FILE, 'utf8')).toBe(composeSupergraph());
});
