import { setTimeout as sleep } from 'node:timers/promises';
import type { Subgraphs } from '../graph/start-subgraphs.ts';
import { untilSubscribed } from '../graph/until-subscribed.ts';
import type { CpuProfile, Inspector } from '../inspector.ts';
import { peakResidentBytes, residentBytes } from '../process-usage.ts';
import { quantile } from '../quantile.ts';
import { startClients } from './start-clients.ts';

/** A server that clients subscribe at: our router, or a subgraph with nothing before it. */
export interface Subject {
  title: string;
  pid: number;
  url: string;
  inspector: Inspector;
  /** Where the events come from. */
  subgraphs: Subgraphs;
  query: string;
  profile: boolean;
}

export interface Measured {
  title: string;
  /** From the first connection to the last acknowledgement. */
  acknowledgedMs: number;
  /** To the last subscription that the subgraph knows. */
  subscribedMs: number;
  broadcast: Latency;
  spread: Latency;
  /** Bytes by connection: as it is after a rest, and after a full collection of garbage. */
  bytesAtRest: number;
  bytesHeld: number;
  peakBytes: number;
  /** Websockets at the subgraph. */
  sockets: number;
  /** Of the broadcasts and the spread events, where it was asked for. */
  profile: CpuProfile | null;
}

interface Latency {
  p50Ms: number;
  p99Ms: number;
}

export interface Load {
  core: number;
  tokens: readonly string[];
  /** Of the spread events. */
  seconds: number;
}

const EVENTS_PER_SECOND = 1_000;
const BROADCASTS = 5;
const WARM_CLIENTS = 200;
const REST_MS = 5_000;

export async function measureServer(subject: Subject, { core, tokens, seconds }: Load): Promise<Measured> {
  const { title, pid, url, query, inspector, subgraphs, profile } = subject;
  await warm(subject, { core, tokens: tokens.slice(0, WARM_CLIENTS), seconds });
  await inspector.collectGarbage();
  await sleep(REST_MS);
  const before = residentBytes(pid) ?? Number.NaN;

  const clients = await startClients({ core, url, query, tokens });
  try {
    const begun = performance.now();
    await clients.open();
    const acknowledgedMs = performance.now() - begun;
    await untilSubscribed(subgraphs, tokens.length);
    const subscribedMs = performance.now() - begun;
    await sleep(REST_MS);
    const atRest = residentBytes(pid) ?? Number.NaN;
    await inspector.collectGarbage();
    await sleep(REST_MS);
    const held = residentBytes(pid) ?? Number.NaN;
    const { sockets } = await subgraphs.counts();
    console.error(`${title}: ${tokens.length} subscriptions after ${(subscribedMs / 1000).toFixed(1)} s`);

    if (profile) await inspector.startProfile();
    const broadcasts: Latency[] = [];
    for (let index = 0; index <= BROADCASTS; index++) {
      await subgraphs.broadcast();
      const latency = latencyOf(await clients.latencies(tokens.length));
      if (index > 0) broadcasts.push(latency);
      console.error(`${title}: a broadcast, p99 ${latency.p99Ms.toFixed(0)} ms${index === 0 ? ' (warm)' : ''}`);
    }
    await subgraphs.startSpread({ channels: tokens.length, perSecond: EVENTS_PER_SECOND });
    await sleep(seconds * 1000);
    const spread = latencyOf(await clients.latencies(await subgraphs.stopSpread()));
    console.error(`${title}: ${EVENTS_PER_SECOND} events/s, p99 ${spread.p99Ms.toFixed(1)} ms`);
    return {
      title,
      acknowledgedMs,
      subscribedMs,
      broadcast: medianOf(broadcasts),
      spread,
      bytesAtRest: (atRest - before) / tokens.length,
      bytesHeld: (held - before) / tokens.length,
      peakBytes: peakResidentBytes(pid) ?? Number.NaN,
      sockets,
      profile: profile ? await inspector.stopProfile() : null,
    };
  } finally {
    await clients.stop();
  }
}

/** So that code is compiled and pools are filled before memory is measured. */
async function warm({ url, query, subgraphs }: Subject, { core, tokens }: Load): Promise<void> {
  const clients = await startClients({ core, url, query, tokens });
  try {
    await clients.open();
    await untilSubscribed(subgraphs, tokens.length);
    for (let index = 0; index < BROADCASTS; index++) {
      await subgraphs.broadcast();
      await clients.latencies(tokens.length);
    }
  } finally {
    await clients.stop();
  }
  await untilSubscribed(subgraphs, 0);
}

function latencyOf(milliseconds: readonly number[]): Latency {
  return { p50Ms: quantile(milliseconds, 0.5), p99Ms: quantile(milliseconds, 0.99) };
}

function medianOf(latencies: readonly Latency[]): Latency {
  return {
    p50Ms: quantile(
      latencies.map(({ p50Ms }) => p50Ms),
      0.5,
    ),
    p99Ms: quantile(
      latencies.map(({ p99Ms }) => p99Ms),
      0.5,
    ),
  };
}
