import { fileURLToPath } from 'node:url';
import type { Need } from './env.ts';

/** One process of the system. */
export interface ServiceSpec {
  name: string;
  /** The file that Node.js runs. */
  entry: string;
  /** The public name of a subgraph that serves GraphQL, which the router must find. */
  subgraph?: string;
  needs: readonly Need[];
  /** Variables of the shell that only this service reads. */
  env: readonly string[];
  /** What it does, for the table at start. */
  does: string;
}

const at = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** In the order in which they start. */
export const SERVICES: readonly ServiceSpec[] = [
  {
    name: 'users',
    entry: at('subgraphs/users/src/main.ts'),
    subgraph: 'USERS',
    needs: ['database'],
    env: [],
    does: 'accounts and principals',
  },
  {
    name: 'billing',
    entry: at('subgraphs/billing/src/main.ts'),
    subgraph: 'BILLING',
    needs: ['database'],
    env: [],
    does: 'plans, quota and receipts',
  },
  {
    name: 'voices',
    entry: at('subgraphs/voices/src/main.ts'),
    subgraph: 'VOICES',
    needs: ['database', 'objects'],
    env: [],
    does: 'the library and cloning',
  },
  {
    name: 'tts',
    entry: at('subgraphs/tts/src/main.ts'),
    subgraph: 'TTS',
    needs: ['database', 'objects'],
    env: [],
    does: 'speech and its events',
  },
  {
    name: 'voices-worker',
    entry: at('subgraphs/voices/src/worker.ts'),
    needs: ['database', 'objects'],
    env: [],
    does: 'fits cloned voices',
  },
  {
    name: 'tts-worker',
    entry: at('subgraphs/tts/src/worker.ts'),
    needs: ['database', 'objects'],
    env: ['TTS_ENGINE_PROCESSES', 'TTS_ENCODER_THREADS', 'TTS_WORKER_CONCURRENCY'],
    does: 'makes speech',
  },
  {
    name: 'router',
    entry: at('router/src/main.ts'),
    needs: ['objects', 'tokens'],
    env: ['ACCESS_LOG_SAMPLE', 'BUS_URL', 'CORS_ORIGINS', 'LAME_DUCK_MS', 'ROUTER_CONFIG', 'SUPERGRAPH'],
    does: 'the graph, uploads and media',
  },
];
