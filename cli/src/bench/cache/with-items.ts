import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { z } from 'zod';
import { keepPostgres } from '../../start/keep-postgres.ts';
import { freeRun } from '../free-run.ts';
import { commander } from '../graph/control.ts';
import { startPinned } from '../pinned-process.ts';
import { waitForAnswer } from '../wait-for-answer.ts';
import { composeCacheGraph } from './graph.ts';
import { startCachedRouter, type CachedRouter, type CachedRouterInput } from './start-router.ts';

export interface Items {
  tokens: readonly string[];
  /** Calls of the subgraphs since it was last asked. */
  takeCalls(): Promise<number>;
  startRouter(caching: Pick<CachedRouterInput, 'caches' | 'redisUrl' | 'mutations'>): Promise<CachedRouter>;
}

const ROUTER_CORE = 0;
const LOAD_CORE = 1;
const PEOPLE = 200;

/** `count` items in PostgreSQL behind two subgraphs, while `use` runs. */
export async function withItems(count: number, use: (items: Items) => Promise<void>): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const directory = await mkdtemp(join(tmpdir(), 'timbre-bench-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    const postgres = await keepPostgres(directory, () => undefined);
    stops.push(() => postgres.stop());
    const port = await freeRun(3);
    const main = fileURLToPath(new URL('subgraphs-main.ts', import.meta.url));
    const subgraphs = startPinned({
      name: 'the subgraphs',
      core: LOAD_CORE,
      command: [process.execPath, main, String(port), postgres.url, String(count)],
    });
    stops.push(() => subgraphs.stop());
    await waitForAnswer(`http://127.0.0.1:${port + 2}/takeCalls`, subgraphs, 'null');
    const command = commander(subgraphs, port + 2);
    const supergraphFile = join(directory, 'supergraph.graphql');
    await writeFile(supergraphFile, composeCacheGraph(port));
    const devIssuer = await loadDevIssuer(directory);
    const { issuer, audience, jwks } = devIssuer;
    const emails = Array.from({ length: PEOPLE }, (_, index) => `bench-${index}@timbre.local`);
    await use({
      tokens: await Promise.all(emails.map((email) => devIssuer.sign({ email }))),
      takeCalls: () => command('takeCalls', z.number()),
      startRouter: (caching) =>
        startCachedRouter(ROUTER_CORE, {
          ...caching,
          supergraphFile,
          issuer: { issuer, audience, jwks: JSON.parse(JSON.stringify(jwks)) },
        }),
    });
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}
