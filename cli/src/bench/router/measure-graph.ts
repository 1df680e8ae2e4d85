import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { CommandError } from '../../run-command.ts';
import { startIssuer } from '../bench-issuer.ts';
import { freeRun } from '../free-run.ts';
import { connectInspector, type CpuProfile, type Inspector } from '../inspector.ts';
import { startPinned } from '../pinned-process.ts';
import { cpuSeconds, peakResidentBytes } from '../process-usage.ts';
import type { Answer } from '../post-operation.ts';
import { quantile } from '../quantile.ts';
import { printSelfTimes } from '../self-times.ts';
import { aligned } from '../table.ts';
import { waitForAnswer } from '../wait-for-answer.ts';
import { wrk, type Load } from '../wrk.ts';
import { answerOf, checkPolicies } from './check-answers.ts';
import { startContestant, TITLES, type Contestant, type ContestantName } from './contestants.ts';
import type { BenchGraph } from './graphs.ts';

export interface Plan {
  /** Measured ones, of each contestant. */
  rounds: number;
  /** Of a round. */
  seconds: number;
  connections: number;
  /** The floor is among them. */
  names: readonly ContestantName[];
  /** Of our router. */
  profile: boolean;
}

interface Round extends Load {
  cpuMs: number;
}

interface Entrant extends Contestant {
  /** Of subgraphs, for one request. */
  calls: number;
}

interface Setting {
  graph: BenchGraph;
  plan: Plan;
  token: string;
  /** Counts the calls of every subgraph since it was last asked. */
  statsUrl: string;
}

const GATEWAY_CORE = 0;
const LOAD_CORE = 1;
/** Longer than a gateway lets pass between two calls of a request. */
const QUIET_MS = 500;

const hitsSchema = z.record(z.string(), z.number());

/** All contestants on one graph, each warm, in turns; prints the table. */
export async function measureGraph(graph: BenchGraph, folder: string, plan: Plan): Promise<void> {
  console.error(`\n${graph.title}`);
  const subgraphsPort = await freeRun(graph.subgraphs.length);
  const composed = spawnSync(process.execPath, ['compose.mjs', graph.name, String(subgraphsPort)], { cwd: folder });
  if (composed.status !== 0) throw new CommandError(`The graph does not compose: ${String(composed.stderr)}`);
  const stops: (() => Promise<void>)[] = [];
  try {
    const issuer = await startIssuer();
    stops.push(() => issuer.close());
    const subgraphs = startPinned({
      name: 'the subgraphs',
      core: LOAD_CORE,
      command: [process.execPath, graph.program, 'serve'],
      env: { SUBGRAPHS_PORT: String(subgraphsPort) },
      cwd: folder,
    });
    stops.push(() => subgraphs.stop());
    const statsUrl = `http://127.0.0.1:${subgraphsPort}/stats`;
    await waitForAnswer(statsUrl, subgraphs);

    const inspectPort = plan.profile ? await freeRun(1) : null;
    const field = { graph, folder, subgraphsPort, core: GATEWAY_CORE, issuer, inspectPort };
    const token = await issuer.sign();
    const entrants: Entrant[] = [];
    let expected: Answer['data'];
    for (const name of plan.names) {
      const contestant = await startContestant(name, field);
      stops.push(() => contestant.program.stop());
      await takeHits(statsUrl);
      const data = await answerOf(graph, contestant, token);
      entrants.push({ ...contestant, calls: await takeHits(statsUrl) });
      expected ??= data;
      if (!isDeepStrictEqual(data, expected)) throw new CommandError(`${TITLES[name]} answers unlike the floor.`);
      if (name === 'router') await checkPolicies(graph, contestant, issuer);
    }
    const inspector = inspectPort === null ? null : await connectInspector(inspectPort);
    await measureRounds(entrants, { graph, plan, token, statsUrl }, inspector);
    inspector?.close();
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

async function measureRounds(
  entrants: readonly Entrant[],
  setting: Setting,
  inspector: Inspector | null,
): Promise<void> {
  const { plan } = setting;
  const rounds = new Map<ContestantName, Round[]>(entrants.map(({ name }) => [name, []]));
  const profiles: CpuProfile[] = [];
  for (let round = 0; round <= plan.rounds; round++) {
    for (const entrant of entrants) {
      const profiled = round > 0 && entrant.name === 'router' ? inspector : null;
      await profiled?.startProfile();
      const measured = await measureRound(entrant, setting);
      if (profiled) profiles.push(await profiled.stopProfile());
      if (round > 0) rounds.get(entrant.name)?.push(measured);
      console.error(
        `${round === 0 ? 'warm' : `${round}/${plan.rounds}`.padStart(4)}  ${entrant.name.padEnd(9)}  ` +
          `${measured.cpuMs.toFixed(3)} ms CPU, ${perSecond(measured).toFixed(0)} requests/s`,
      );
    }
  }
  printTable(entrants, rounds);
  if (profiles.length > 0) printSelfTimes(profiles);
}

async function measureRound({ program, url, calls }: Entrant, setting: Setting): Promise<Round> {
  const { graph, plan, token, statsUrl } = setting;
  await takeAllHits(statsUrl);
  const before = cpuSeconds(program.pid) ?? Number.NaN;
  const load = await Promise.race([
    wrk({ url, script: graph.script, core: LOAD_CORE, connections: plan.connections, seconds: plan.seconds, token }),
    program.failed,
  ]);
  // Work that was under way when the load ended is not among its answers, but in the CPU time and in the calls.
  const served = (await takeAllHits(statsUrl)) / calls;
  const cpuMs = ((cpuSeconds(program.pid) ?? Number.NaN) - before) * 1000;
  if (served < load.requests || served > load.requests + plan.connections) {
    throw new CommandError(
      `${program.name} answered ${load.requests} requests with the calls of ${served}: ${calls} for each were expected.`,
    );
  }
  return { ...load, cpuMs: cpuMs / served };
}

/** When no more come. */
async function takeAllHits(statsUrl: string): Promise<number> {
  for (let sum = 0; ;) {
    await sleep(QUIET_MS);
    const more = await takeHits(statsUrl);
    if (more === 0) return sum;
    sum += more;
  }
}

/** Calls of subgraphs since the last time. */
async function takeHits(statsUrl: string): Promise<number> {
  const hits = hitsSchema.parse(await (await fetch(statsUrl)).json());
  return Object.values(hits).reduce((sum, count) => sum + count, 0);
}

function perSecond({ requests, seconds }: Load): number {
  return requests / seconds;
}

function printTable(entrants: readonly Entrant[], rounds: ReadonlyMap<ContestantName, readonly Round[]>): void {
  const median = (name: ContestantName, column: (round: Round) => number): number =>
    quantile((rounds.get(name) ?? []).map(column), 0.5);
  const floor = median('floor', ({ cpuMs }) => cpuMs);
  const rows = entrants.map(({ name, program, calls }) => [
    TITLES[name],
    String(calls),
    median(name, ({ cpuMs }) => cpuMs).toFixed(3),
    (median(name, ({ cpuMs }) => cpuMs) / floor).toFixed(2),
    median(name, perSecond).toFixed(0),
    median(name, ({ p50Ms }) => p50Ms).toFixed(1),
    median(name, ({ p99Ms }) => p99Ms).toFixed(1),
    ((peakResidentBytes(program.pid) ?? Number.NaN) / 2 ** 20).toFixed(0),
  ]);
  console.log(
    `\n${aligned([['', 'calls', 'CPU ms', '× floor', 'req/s', 'p50 ms', 'p99 ms', 'peak RSS MB'], ...rows])}`,
  );
}
