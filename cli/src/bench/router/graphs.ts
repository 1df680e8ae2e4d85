import { fileURLToPath } from 'node:url';

/** One of the two graphs that are measured, and the query on it. */
export interface BenchGraph {
  name: 'flat' | 'deep';
  title: string;
  /** In the order of their ports. */
  subgraphs: readonly string[];
  /** The programs of the peers' folder. */
  program: string;
  floor: string;
  script: string;
  /** What the script sends, for one variable. */
  query: string;
  maxCost: number;
  /** For our router alone: what its policies must refuse. */
  tooExpensive: string;
  tooManyAliases: string;
  /** The scope without which a field of the query is not given. */
  scope: string;
}

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const aliases = (count: number, selection: string) =>
  Array.from({ length: count }, (_, index) => `a${index}: ${selection}`).join(' ');

const FLAT: BenchGraph = {
  name: 'flat',
  title: '20 users × 2 voices: two fetches, one entity batch',
  subgraphs: ['users', 'voices'],
  program: 'subgraphs.mjs',
  floor: 'floor.mjs',
  script: script('uniq.lua'),
  query: 'query Q($seed: Int!) { users(seed: $seed) { id name email voices { id label language } } }',
  maxCost: 1_000,
  tooExpensive: `{ ${aliases(19, 'users { voices { id } }')} }`,
  tooManyAliases: `{ users { ${aliases(31, 'id')} } }`,
  scope: 'profile:read',
};

const DEEP: BenchGraph = {
  name: 'deep',
  title: '10 regions × 9 shops × 5 offers with product and stock: five fetches, 1,000 entities',
  subgraphs: ['catalog', 'shops', 'offers', 'stock'],
  program: 'deep-subgraphs.mjs',
  floor: 'deep-floor.mjs',
  script: script('deep.lua'),
  query:
    'query Q($seed: Int!) { regions(seed: $seed) { id name shops { id name offers { id price product { id title brand } stock { count warehouse } } } } }',
  maxCost: 5_000,
  tooExpensive: `{ ${aliases(10, 'regions { shops { offers { stock { count } } } }')} }`,
  tooManyAliases: `{ regions { ${aliases(31, 'id')} } }`,
  scope: 'billing:read',
};

export const GRAPHS: readonly BenchGraph[] = [FLAT, DEEP];
