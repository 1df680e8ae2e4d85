import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDb } from '@timbre/db/client';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { GraphClient } from '../client/graph-client.ts';
import { followGeneration, orderSpeech } from '../client/speak.ts';
import { GenerationByIdDocument, MeDocument, ModelsDocument, VoiceLibraryDocument } from '../generated/graphql.ts';
import { grantTo } from '../grant/grant-to.ts';
import { CommandError, runCommand } from '../run-command.ts';
import { startSystem, type RunningSystem } from '../start/start-system.ts';
import { cpuSeconds } from './process-usage.ts';
import { quantile } from './quantile.ts';
import { speechText } from './speech-text.ts';

const EMAIL = 'bench@timbre.local';
const CHARACTERS = 2000;
/** How many generations each level measures, after one round that warms everything up. */
const LEVELS = [
  { concurrency: 1, generations: 12 },
  { concurrency: 4, generations: 24 },
  { concurrency: 16, generations: 64 },
];

interface Measured {
  audioSeconds: number;
  /** From the mutation's first byte sent to the first byte of playable audio received. */
  firstAudioMs: number;
}

/** `npm run bench -- speech`: the whole graph on a fresh data directory, distinct texts, nothing from a cache. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- speech

Starts a system of its own, orders speech of ${CHARACTERS} characters (MP3) at 1, 4 and 16 generations at once and prints
seconds of audio per second, the time to the first audio byte, and the CPU of each process.`,
    args,
    options: {},
    run: async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'timbre-bench-'));
      const lines: string[] = [];
      try {
        const system = await startSystem({
          env: { ...process.env, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn' },
          onLine: (name, line) => lines.push(`${name} ${line}`),
        });
        try {
          await measureLevels(system);
        } finally {
          await system.stop();
        }
      } catch (error) {
        console.error(lines.slice(-20).join('\n'));
        throw error;
      } finally {
        await rm(dataDir, { recursive: true, force: true });
      }
    },
  });
}

async function measureLevels(system: RunningSystem): Promise<void> {
  const issuer = await loadDevIssuer(system.dataDir);
  const client = new GraphClient(`${system.url}/graphql`, await issuer.sign({ email: EMAIL }));
  try {
    await client.execute(MeDocument, {});
    await promote(system.databaseUrl);
    const { models } = await client.execute(ModelsDocument, {});
    const { voiceLibrary } = await client.execute(VoiceLibraryDocument, { first: 1 });
    const modelId = models?.[0]?.id;
    const voiceId = voiceLibrary?.edges[0]?.node.id;
    if (modelId === undefined || voiceId === undefined)
      throw new CommandError('There is no engine or no library voice.', 2);
    const speak = (seed: string) => measure(client, { modelId, voiceId, text: speechText(CHARACTERS, seed) });

    await Promise.all([speak('warm 1'), speak('warm 2')]);
    console.log('| at once | generations | audio s/s | first audio p50 ms | p99 ms | CPU s by process |');
    console.log('|---|---|---|---|---|---|');
    for (const { concurrency, generations } of LEVELS) {
      const before = cpuByProcess(system);
      const startedAt = performance.now();
      const results = await inParallel(concurrency, generations, (index) => speak(`${concurrency} ${index}`));
      const seconds = (performance.now() - startedAt) / 1000;
      const used = Object.entries(cpuByProcess(system)).map(
        ([name, after]) => `${name} ${(after - (before[name] ?? 0)).toFixed(1)}`,
      );
      const first = results.map((result) => result.firstAudioMs);
      const audio = results.reduce((sum, result) => sum + result.audioSeconds, 0);
      console.log(
        `| ${concurrency} | ${generations} | ${(audio / seconds).toFixed(1)} | ${quantile(first, 0.5).toFixed(0)} | ` +
          `${quantile(first, 0.99).toFixed(0)} | ${used.join(', ')}, of ${seconds.toFixed(1)} s |`,
      );
    }
  } finally {
    await client.close();
  }
}

/** To the plan that lets sixteen run at once. */
async function promote(databaseUrl: string): Promise<void> {
  const database = createDb(databaseUrl, { max: 1 });
  try {
    await grantTo(database.db, { email: EMAIL, plan: 'enterprise', credits: 0, devIssuer: true });
  } finally {
    await database.close();
  }
}

async function measure(client: GraphClient, request: Parameters<typeof orderSpeech>[1]): Promise<Measured> {
  const sentAt = performance.now();
  const id = await orderSpeech(client, { ...request, format: 'MP3_44100_128' });
  let firstAudioMs = Number.NaN;
  for await (const event of followGeneration(client, id)) {
    if (event.__typename !== 'GenerationChunkReady' || !Number.isNaN(firstAudioMs)) continue;
    const response = await fetch(event.audioUrl);
    const reader = response.body?.getReader();
    await reader?.read();
    firstAudioMs = performance.now() - sentAt;
    await reader?.cancel();
  }
  const { generation } = await client.execute(GenerationByIdDocument, { id });
  if (generation?.state !== 'SUCCEEDED' || !generation.audio)
    throw new Error(`${id} ended ${generation?.state ?? 'unknown'}`);
  return { audioSeconds: generation.audio.durationMs / 1000, firstAudioMs };
}

/** The engine is a child of the worker and counted with it. */
function cpuByProcess(system: RunningSystem): Record<string, number> {
  const entries = Object.entries(system.processes()).map(([name, { pid }]) => [name, cpuSeconds(pid) ?? 0] as const);
  return Object.fromEntries([
    ...entries,
    ['this client', process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6],
  ]);
}

async function inParallel<T>(width: number, count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count) results.push(await work(next++));
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}
