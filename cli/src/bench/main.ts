import { CommandError, runCommand } from '../run-command.ts';

interface Bench {
  /** One line for `--help`. */
  measures: string;
  load: () => Promise<{ run: (args: string[]) => Promise<void> }>;
}

const BENCHES: Record<string, Bench> = {
  cache: {
    measures:
      'what the response cache saves, in process and on Redis: requests/s, p99, hits; and that no read is stale',
    load: () => import('./cache.ts'),
  },
  clone: {
    measures: 'how close clones come to their speakers: --speakers DIR (files SPEAKER-…-N.flac, ten of each)',
    load: () => import('./clone.ts'),
  },
  policies: {
    measures: 'CPU per request of each policy of the router, on against off, and of all together',
    load: () => import('./policies.ts'),
  },
  reload: {
    measures: 'the supergraph replaced 200 times under load: failed requests, lost events, memory',
    load: () => import('./reload.ts'),
  },
  router: {
    measures: 'our router beside other gateways and a floor: CPU per request, requests/s, p50, p99, memory',
    load: () => import('./router.ts'),
  },
  soak: {
    measures: 'five minutes of mixed load: whether the heap of the router grows',
    load: () => import('./soak.ts'),
  },
  speech: {
    measures: 'speech through the whole graph at 1, 4 and 16 generations at once: throughput, first audio, CPU',
    load: () => import('./speech.ts'),
  },
  subscriptions: {
    measures: '10,000 subscriptions through our router and at a bare server: latency, memory by connection',
    load: () => import('./subscriptions.ts'),
  },
  system: {
    measures: 'the whole system on two cores under an open load: requests/min that hold, latency, CPU by process',
    load: () => import('./system.ts'),
  },
};

const [name, ...rest] = process.argv.slice(2);
const bench = name === undefined ? undefined : BENCHES[name];
if (bench) {
  const { run } = await bench.load();
  await run(rest);
} else {
  await runCommand({
    usage: `npm run bench -- NAME [options]

${Object.entries(BENCHES)
  .map(([each, { measures }]) => `  ${each.padEnd(13)} ${measures}`)
  .join('\n')}`,
    options: {},
    allowPositionals: true,
    run: () =>
      Promise.reject(new CommandError(`There is no bench '${name ?? ''}'. npm run bench -- --help lists them.`, 2)),
  });
}
