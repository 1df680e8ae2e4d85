import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { CommandError, runCommand } from '../run-command.ts';
import { countOf } from './count-of.ts';
import { freeRun } from './free-run.ts';
import type { CpuProfile } from './inspector.ts';
import { requireTwoCores, startPinned } from './pinned-process.ts';
import { composePoliciesGraph } from './policies/graph.ts';
import { QUERY, QUERY_HASH, requestsOf } from './policies/requests.ts';
import { startVariant, type RunningVariant } from './policies/start-variant.ts';
import { OFF, VARIANTS } from './policies/variants.ts';
import { cpuSeconds } from './process-usage.ts';
import { quantile } from './quantile.ts';
import { printSelfTimes } from './self-times.ts';
import { aligned } from './table.ts';
import { waitForAnswer } from './wait-for-answer.ts';

const ROUTER_CORE = 0;
const LOAD_CORE = 1;
const TOKENS = 200;
/** So that work that goes on behind the last answer is counted with it. */
const QUIET_MS = 300;

/** `npm run bench -- policies`: what each of the router's policies costs. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- policies [--rounds N] [--requests N] [--connections C] [--only NAMES] [--profile]

CPU time per request of the router with each of its policies on, against all off, and with all on together. Each is a router in a process
of its own on one core; the load (${TOKENS} people) and two subgraphs have the other. After a warm round they take turns, and what is
told is the median, over the rounds, of the CPU time and of how it compares with the same round's of the other. The query is the
flat one of \`router\`: two fetches, 20 users with 2 voices each. Metrics are on in all. Compression is not part of 'all':
it is work that a client asks for. A quick look: --rounds 3 --requests 2000

  --rounds N        measured rounds of each, default 7
  --requests N      of a round, default 6000
  --connections C   requests under way at once, default 32
  --only NAMES      separated by commas; '${OFF}' and what they are compared with always run
  --profile         also prints where the CPU time of the last one named went; all are slower for it`,
    args,
    options: {
      rounds: { type: 'string', default: '7' },
      requests: { type: 'string', default: '6000' },
      connections: { type: 'string', default: '32' },
      only: { type: 'string' },
      profile: { type: 'boolean', default: false },
    },
    run: async (values) => {
      requireTwoCores();
      const plan = {
        rounds: countOf('rounds', values.rounds),
        requests: countOf('requests', values.requests),
        connections: countOf('connections', values.connections),
      };
      const wanted = wantedOf(values.only?.split(',') ?? VARIANTS.map(({ name }) => name));
      spawnSync('taskset', ['-a', '-cp', String(LOAD_CORE), String(process.pid)]);
      await measure(wanted, plan, values.profile);
    },
  });
}

function wantedOf(names: readonly string[]): typeof VARIANTS {
  const unknown = names.filter((name) => VARIANTS.every((variant) => variant.name !== name));
  if (unknown.length > 0) {
    throw new CommandError(
      `There is no ${unknown.join(', ')}; there are: ${VARIANTS.map(({ name }) => name).join(', ')}.`,
      2,
    );
  }
  const needed = new Set([OFF, ...names]);
  for (const { name, against } of VARIANTS) if (needed.has(name)) needed.add(against);
  return VARIANTS.filter(({ name }) => needed.has(name));
}

interface Plan {
  rounds: number;
  requests: number;
  connections: number;
}

async function measure(variants: typeof VARIANTS, plan: Plan, profiled: boolean): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const directory = await mkdtemp(join(tmpdir(), 'timbre-bench-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    const port = await freeRun(2);
    const main = fileURLToPath(new URL('policies/subgraphs-main.ts', import.meta.url));
    const subgraphs = startPinned({
      name: 'the subgraphs',
      core: LOAD_CORE,
      command: [process.execPath, main, String(port)],
    });
    stops.push(() => subgraphs.stop());
    const variables = JSON.stringify({ variables: { seed: 1 } });
    for (const each of [port, port + 1]) await waitForAnswer(`http://127.0.0.1:${each}/`, subgraphs, variables);
    const devIssuer = await loadDevIssuer(directory);
    const { issuer, audience, jwks } = devIssuer;
    const tokens = await Promise.all(
      Array.from({ length: TOKENS }, (_, index) => devIssuer.sign({ email: `${index}@timbre.local` })),
    );
    const collector = createServer((req, res) => void req.resume().on('end', () => res.end()));
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    stops.push(() => new Promise((resolve) => collector.closeAllConnections() ?? collector.close(resolve)));
    const address = collector.address();

    const running: RunningVariant[] = [];
    for (const variant of variants) {
      const supergraphFile = join(directory, variant.annotated ? 'annotated.graphql' : 'plain.graphql');
      await writeFile(supergraphFile, composePoliciesGraph(port, variant.annotated));
      const settings = {
        supergraphFile,
        issuer: { issuer, audience, jwks: JSON.parse(JSON.stringify(jwks)) },
        collectorUrl: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
        manifest: JSON.stringify({
          format: 'apollo-persisted-query-manifest',
          version: 1,
          operations: [{ id: QUERY_HASH, body: QUERY, name: 'Q', type: 'query' }],
        }),
      };
      const inspected = profiled && variant === variants.at(-1);
      const started = await startVariant(variant, ROUTER_CORE, settings, inspected);
      stops.push(() => started.program.stop());
      running.push(started);
    }
    await measureRounds(running, tokens, plan);
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

async function measureRounds(running: readonly RunningVariant[], tokens: readonly string[], plan: Plan): Promise<void> {
  const rounds: Map<string, number>[] = [];
  const profiles: CpuProfile[] = [];
  let sent = 0;
  for (let round = 0; round <= plan.rounds; round++) {
    const measured = new Map<string, number>();
    // The one that comes first is not always the same.
    for (const each of round % 2 === 0 ? running : running.toReversed()) {
      if (round > 0) await each.inspector?.startProfile();
      const cpuMs = await measureRound(each, requestsOf(each.variant.requests, tokens), sent, plan);
      if (round > 0 && each.inspector) profiles.push(await each.inspector.stopProfile());
      measured.set(each.variant.name, cpuMs);
      console.error(
        `${round === 0 ? 'warm' : `${round}/${plan.rounds}`.padStart(4)}  ${each.variant.name.padEnd(22)} ${cpuMs.toFixed(3)} ms CPU`,
      );
    }
    sent += plan.requests;
    if (round > 0) rounds.push(measured);
  }
  printTable(running, rounds);
  if (profiles.length > 0) printSelfTimes(profiles, running.at(-1)?.variant.name);
}

/** @returns milliseconds of CPU time for a request */
async function measureRound(
  { program, pool }: RunningVariant,
  requestAt: (index: number) => string,
  first: number,
  { requests, connections }: Plan,
): Promise<number> {
  const before = cpuSeconds(program.pid) ?? Number.NaN;
  let next = first;
  const lane = async (): Promise<void> => {
    while (next < first + requests) {
      const request = requestAt(next++);
      const failure = await new Promise<string | null>((resolve) => {
        pool.post(request, resolve);
      });
      if (failure !== null) throw new CommandError(`${program.name} answered: ${failure}`);
    }
  };
  await Promise.race([Promise.all(Array.from({ length: connections }, lane)), program.failed]);
  await sleep(QUIET_MS);
  return (((cpuSeconds(program.pid) ?? Number.NaN) - before) * 1000) / requests;
}

function printTable(running: readonly RunningVariant[], rounds: readonly ReadonlyMap<string, number>[]): void {
  const of = (round: ReadonlyMap<string, number>, name: string) => round.get(name) ?? Number.NaN;
  const median = (values: number[]) => quantile(values, 0.5);
  const rows = running.map(({ variant: { name, against } }) => {
    const more = rounds.map((round) => of(round, name) - of(round, against));
    const ratio = median(rounds.map((round) => of(round, name) / of(round, against)));
    return [
      name,
      median(rounds.map((round) => of(round, name))).toFixed(3),
      name === OFF ? '' : against,
      name === OFF ? '' : (median(more) * 1000).toFixed(0),
      name === OFF ? '' : `${((ratio - 1) * 100).toFixed(1)} %`,
    ];
  });
  console.log(`\n${aligned([['policy', 'CPU ms a request', 'against', 'more µs', 'more'], ...rows])}`);
}
