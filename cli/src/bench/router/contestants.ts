import { join } from 'node:path';
import type { BenchIssuer } from '../bench-issuer.ts';
import { freeRun } from '../free-run.ts';
import { startPinned, type PinnedProcess } from '../pinned-process.ts';
import { startRouterProgram } from '../router-program.ts';
import { waitForAnswer } from '../wait-for-answer.ts';
import type { BenchGraph } from './graphs.ts';

export interface Contestant {
  name: ContestantName;
  program: PinnedProcess;
  /** Of GraphQL. */
  url: string;
}

export const CONTESTANTS = ['floor', 'router', 'mercurius', 'hive', 'apollo'] as const;

export type ContestantName = (typeof CONTESTANTS)[number];

export const TITLES: Record<ContestantName, string> = {
  floor: 'fetches and a merge by hand: the floor',
  router: 'our router: tokens, scopes, cost and limits on',
  mercurius: 'Mercurius gateway, jit',
  hive: 'Hive Gateway, Rust planner',
  apollo: 'Apollo Gateway',
};

export interface Field {
  graph: BenchGraph;
  /** Where the peers are installed and the supergraphs composed. */
  folder: string;
  subgraphsPort: number;
  core: number;
  issuer: BenchIssuer;
  /** Where our router can be asked for a CPU profile. */
  inspectPort: number | null;
}

export async function startContestant(name: ContestantName, field: Field): Promise<Contestant> {
  if (name === 'router') {
    const program = await startRouterProgram({
      core: field.core,
      supergraphFile: join(field.folder, `${field.graph.name}-annotated.graphql`),
      maxCost: field.graph.maxCost,
      env: field.issuer.env,
      nodeArgs: field.inspectPort === null ? [] : [`--inspect=127.0.0.1:${field.inspectPort}`],
    });
    return { name, program, url: program.url };
  }
  return startPeer(name, field);
}

async function startPeer(name: Exclude<ContestantName, 'router'>, field: Field): Promise<Contestant> {
  const { graph, folder, core } = field;
  const port = await freeRun(1);
  const supergraph = join(folder, `${graph.name}-plain.graphql`);
  const programs: Record<typeof name, string[]> = {
    floor: [graph.floor],
    mercurius: ['mercurius-gateway.mjs'],
    hive: [
      'node_modules/@graphql-hive/gateway/dist/bin.js',
      'supergraph',
      supergraph,
      '--hive-router-runtime',
      '--host=127.0.0.1',
      `--port=${port}`,
    ],
    apollo: ['apollo-gateway.mjs'],
  };
  const program = startPinned({
    name: TITLES[name],
    core,
    command: [process.execPath, ...programs[name]],
    cwd: folder,
    env: {
      PORT: String(port),
      SUPERGRAPH: supergraph,
      GRAPH: graph.name,
      SUBGRAPHS_PORT: String(field.subgraphsPort),
      APOLLO_TELEMETRY_DISABLED: '1',
    },
  });
  const url = `http://127.0.0.1:${port}/graphql`;
  await waitForAnswer(url, program, JSON.stringify({ query: graph.query, variables: { seed: 1 } }));
  return { name, program, url };
}
