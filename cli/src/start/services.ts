import { fileURLToPath } from 'node:url';

/** One process of the system. */
export interface ServiceSpec {
  name: string;
  /** The file that Node.js runs. */
  entry: string;
  /** The public name of a subgraph that serves GraphQL, which the router must find. */
  subgraph?: string;
  /** Variables of the shell that this service reads beyond the common ones. */
  env: readonly string[];
  /** What it does, for the table at start. */
  does: string;
}

const at = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** In the order in which they start; they stop in the reverse order. */
export const SERVICES: readonly ServiceSpec[] = [
  {
    name: 'users',
    entry: at('subgraphs/users/src/main.ts'),
    subgraph: 'USERS',
    env: [],
    does: 'accounts and principals',
  },
  {
    name: 'billing',
    entry: at('subgraphs/billing/src/main.ts'),
    subgraph: 'BILLING',
    env: [],
    does: 'plans, quota and receipts',
  },
  {
    name: 'voices',
    entry: at('subgraphs/voices/src/main.ts'),
    subgraph: 'VOICES',
    env: [],
    does: 'the library and cloning',
  },
  { name: 'tts', entry: at('subgraphs/tts/src/main.ts'), subgraph: 'TTS', env: [], does: 'speech and its events' },
  { name: 'voices-worker', entry: at('subgraphs/voices/src/worker.ts'), env: [], does: 'fits cloned voices' },
  { name: 'tts-worker', entry: at('subgraphs/tts/src/worker.ts'), env: [], does: 'makes speech' },
  {
    name: 'router',
    entry: at('router/src/main.ts'),
    env: ['AUTH_ISSUER', 'AUTH_AUDIENCE', 'AUTH_JWKS_URL'],
    does: 'the graph, uploads and media',
  },
];
