import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startIssuer } from '../bench-issuer.ts';
import { freeRun } from '../free-run.ts';
import { composeBenchGraph } from '../graph/schemas.ts';
import { startSubgraphs, type Subgraphs } from '../graph/start-subgraphs.ts';
import { untilSubscribed } from '../graph/until-subscribed.ts';
import { connectInspector, type Inspector } from '../inspector.ts';
import { startRouterProgram, type RouterProgram } from '../router-program.ts';
import { startMixedLoad, type MixedLoad, type MixedLoadOptions } from './mixed-load.ts';

export interface Mixed {
  router: RouterProgram;
  inspector: Inspector;
  load: MixedLoad;
  subgraphs: Subgraphs;
  supergraphFile: string;
}

const ROUTER_CORE = 0;
const LOAD_CORE = 1;
/** Twenty users once are well below it, and as often as aliases may name them well above. */
const MAX_COST = 400;

/** A router under mixed load with one event a second on every channel, while `measure` runs. */
export async function withMixedLoad(
  options: Omit<MixedLoadOptions, 'url' | 'token' | 'firstChannel'>,
  measure: (mixed: Mixed) => Promise<void>,
): Promise<void> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const directory = await mkdtemp(join(tmpdir(), 'timbre-bench-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    const issuer = await startIssuer();
    stops.push(() => issuer.close());
    const subgraphs = await startSubgraphs(LOAD_CORE);
    stops.push(() => subgraphs.stop());
    const supergraphFile = join(directory, 'supergraph.graphql');
    await writeFile(supergraphFile, composeBenchGraph(subgraphs.port));
    const inspectPort = await freeRun(1);
    const router = await startRouterProgram({
      core: ROUTER_CORE,
      supergraphFile,
      maxCost: MAX_COST,
      env: issuer.env,
      nodeArgs: [`--inspect=127.0.0.1:${inspectPort}`],
    });
    stops.push(() => router.stop());
    const inspector = await connectInspector(inspectPort);
    const load = await startMixedLoad(LOAD_CORE, {
      ...options,
      url: router.url,
      token: await issuer.sign(),
      firstChannel: 0,
    });
    stops.push(() => load.stop());
    await load.subscribe();
    await untilSubscribed(subgraphs, options.subscriptions);
    await subgraphs.startSpread({ channels: options.subscriptions, perSecond: options.subscriptions });
    await load.start();
    await measure({ router, inspector, load, subgraphs, supergraphFile });
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}
