import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError, runCommand } from '../run-command.ts';
import { startIssuer, type BenchIssuer } from './bench-issuer.ts';
import { countOf } from './count-of.ts';
import { freeRun } from './free-run.ts';
import { composeBenchGraph } from './graph/schemas.ts';
import { startSubgraphs } from './graph/start-subgraphs.ts';
import { connectInspector } from './inspector.ts';
import { requireTwoCores } from './pinned-process.ts';
import { requireFiles } from './require-files.ts';
import { startRouterProgram } from './router-program.ts';
import { printSelfTimes } from './self-times.ts';
import { measureServer, type Load, type Measured } from './subscriptions/measure-server.ts';
import { aligned } from './table.ts';

const SERVER_CORE = 0;
const CLIENT_CORE = 1;
const MAX_COST = 1_000;
/** What a server opens beside its clients' sockets. */
const SPARE_FILES = 500;

const SCALAR = 'subscription Tick($channel: Int!) { tick(channel: $channel) }';
const ENTITY = 'subscription Event($channel: Int!) { event(channel: $channel) { at user { name } } }';

/** `npm run bench -- subscriptions`: many subscribers through our router, and at a bare graphql-ws server. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- subscriptions [--connections N] [--seconds S] [--profile]

N websockets with a subscription each, every one a principal of its own, through our router; beside it the same at a bare
graphql-ws server that emits the events itself. The server has one core, the clients (on 127.0.0.2 to 127.0.0.21) and the
router's subgraphs the other. Times are from the emission to the receipt. Memory is the growth of the resident set by
connection: after five seconds of rest, and after a full collection of garbage.

  --connections N   default 10000
  --seconds S       of a thousand events a second, spread over all; default 20
  --profile         also prints where our router's CPU time went; it is slower for it`,
    args,
    options: {
      connections: { type: 'string', default: '10000' },
      seconds: { type: 'string', default: '20' },
      profile: { type: 'boolean', default: false },
    },
    run: async (values) => {
      const connections = countOf('connections', values.connections);
      const seconds = countOf('seconds', values.seconds);
      requireTwoCores();
      await requireFiles(connections + SPARE_FILES);
      const issuer = await startIssuer();
      try {
        console.error(`Signing ${connections} tokens…`);
        const tokens: string[] = [];
        for (let index = 0; index < connections; index++)
          tokens.push(await issuer.sign({ email: `bench-${index}@timbre.local` }));
        const load = { core: CLIENT_CORE, tokens, seconds };
        const setting = { load, issuer, profile: values.profile };
        const bare = await measureBare(load);
        const router = await measureRouter('our router', SCALAR, setting);
        const entity = await measureRouter('our router, with an entity of another subgraph', ENTITY, setting);
        printTable(bare, router, entity);
        for (const { profile } of [router, entity]) if (profile) printSelfTimes([profile]);
      } finally {
        await issuer.close();
      }
    },
  });
}

async function measureBare(load: Load): Promise<Measured> {
  const inspectPort = await freeRun(1);
  const server = await startSubgraphs(SERVER_CORE, [`--inspect=127.0.0.1:${inspectPort}`]);
  try {
    const inspector = await connectInspector(inspectPort);
    const url = `ws://127.0.0.1:${server.port}/graphql`;
    const subject = {
      title: 'bare graphql-ws',
      pid: server.pid,
      url,
      inspector,
      subgraphs: server,
      query: SCALAR,
      profile: false,
    };
    return await measureServer(subject, load);
  } finally {
    await server.stop();
  }
}

interface Setting {
  load: Load;
  issuer: BenchIssuer;
  profile: boolean;
}

async function measureRouter(title: string, query: string, { load, issuer, profile }: Setting): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'timbre-bench-'));
  const subgraphs = await startSubgraphs(CLIENT_CORE);
  const stops = [() => subgraphs.stop(), () => rm(directory, { recursive: true, force: true })];
  try {
    const supergraphFile = join(directory, 'supergraph.graphql');
    await writeFile(supergraphFile, composeBenchGraph(subgraphs.port));
    const inspectPort = await freeRun(1);
    const router = await startRouterProgram({
      core: SERVER_CORE,
      supergraphFile,
      maxCost: MAX_COST,
      env: issuer.env,
      nodeArgs: [`--inspect=127.0.0.1:${inspectPort}`],
    });
    stops.unshift(() => router.stop());
    const inspector = await connectInspector(inspectPort);
    const url = router.url.replace(/^http/, 'ws');
    const measured = await measureServer({ title, pid: router.pid, url, inspector, subgraphs, query, profile }, load);
    if (measured.sockets !== 1)
      throw new CommandError(`The router opened ${measured.sockets} websockets to the subgraph.`);
    return measured;
  } finally {
    for (const stop of stops) await stop();
  }
}

function printTable(bare: Measured, router: Measured, entity: Measured): void {
  const heads = ['', 'acknowledged s', 'subscribed s', 'broadcast p50 ms', 'p99 ms', 'spread p50 ms', 'p99 ms'];
  const memory = ['bytes/connection', 'after GC', 'peak RSS MB', 'upstream sockets'];
  const row = (measured: Measured, sockets: string) => [
    measured.title,
    ...numbersOf(measured).map((value, column) => value.toFixed(column < 2 || column === 4 || column === 5 ? 1 : 0)),
    sockets,
  ];
  const ofBare = numbersOf(bare);
  const ratios = numbersOf(router).map((value, column) => `× ${(value / (ofBare[column] ?? Number.NaN)).toFixed(2)}`);
  console.log(
    `\n${aligned([[...heads, ...memory], row(bare, ''), row(router, String(router.sockets)), ['our router by bare', ...ratios, ''], row(entity, String(entity.sockets))])}`,
  );
}

function numbersOf(measured: Measured): number[] {
  return [
    measured.acknowledgedMs / 1000,
    measured.subscribedMs / 1000,
    measured.broadcast.p50Ms,
    measured.broadcast.p99Ms,
    measured.spread.p50Ms,
    measured.spread.p99Ms,
    measured.bytesAtRest,
    measured.bytesHeld,
    measured.peakBytes / 2 ** 20,
  ];
}
