import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDb } from '@timbre/db/client';
import { CommandError, runCommand } from '../run-command.ts';
import { countOf } from './count-of.ts';
import type { Inspector } from './inspector.ts';
import { requireTwoCores } from './pinned-process.ts';
import { cpuSeconds } from './process-usage.ts';
import { readMetric } from './read-metric.ts';
import { requireFiles } from './require-files.ts';
import { printPackageTimes, printSelfTimes } from './self-times.ts';
import { attachInspector } from './system/attach-inspector.ts';
import { findRate, holds, MAX_P99_MS } from './system/find-rate.ts';
import { startIdleSubscribers, startOpenLoad, type LoadResult, type LoadRun, type OpenLoad } from './system/load.ts';
import { measureCold } from './system/measure-cold.ts';
import { printTimeline, sampleCpu } from './system/print-timeline.ts';
import { seed } from './system/seed.ts';
import { withProductionSystem, type ProductionSystem } from './system/with-production-system.ts';
import { aligned } from './table.ts';

const FIRST_RATE = 200;
const FIRST_SECONDS = 15;
const STEP_SECONDS = 20;
/** Of each step, not counted: what is kept for seconds or minutes is not kept yet, and what is hot is not compiled. */
const WARM_SECONDS = 15;
/** Of the cores' time; a queue that must stay short needs the rest. */
const FULL = 0.94;
const REST_MS = 3_000;
const IDLE_MS = 15_000;
const AIM_PER_MINUTE = 100_000;
const SPARE_FILES = 3_000;
/** Where the five minutes do not hold, the next attempt is so much lower. */
const LOWER = 0.95;

/** `npm run bench -- system`: how many requests a minute the whole system answers on two cores. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- system [--rate N] [--minutes M] [--subscriptions N] [--principals N]

A fixed mix of documents (schema/operations; 95 reads and 5 writes of a hundred, nothing that speaks) by principals with rows of
their own, through the router, four subgraphs and PostgreSQL, all with this load on the same two cores, while other
subscriptions are open on which nothing happens. The load is open: requests are due by a clock (Poisson) and wait for no answer;
latency is counted from when they were due. The highest rate at which nothing fails and p99 is below ${MAX_P99_MS} ms is sought by steps
of ${STEP_SECONDS} s, each after ${WARM_SECONDS} s at its rate that are not counted, and then held for the minutes. A quick look: --rate 300 --minutes 1 --subscriptions 500

  --rate N            requests per second, instead of seeking; the bench fails where it does not hold
  --minutes M         for which the rate must hold, default 5
  --subscriptions N   open ones, default 10000
  --principals N      default 500
  --cold              with --rate: at once, with nothing warm, kept or open; prints when it has caught up
  --timeline          also prints what became of each second, and what each process worked in it
  --profile           also prints where the CPU time of each service went in these minutes; it is slower for it`,
    args,
    options: {
      rate: { type: 'string' },
      minutes: { type: 'string', default: '5' },
      subscriptions: { type: 'string', default: '10000' },
      principals: { type: 'string', default: '500' },
      cold: { type: 'boolean', default: false },
      timeline: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
    },
    run: async (values) => {
      const rate = values.rate === undefined ? null : countOf('rate', values.rate);
      const minutes = countOf('minutes', values.minutes);
      const subscriptions = values.subscriptions === '0' ? 0 : countOf('subscriptions', values.subscriptions);
      const principals = countOf('principals', values.principals);
      requireTwoCores();
      await requireFiles(subscriptions + SPARE_FILES);
      // What is started from here on inherits it.
      spawnSync('taskset', ['-a', '-cp', '0,1', String(process.pid)]);
      if (values.cold) {
        if (rate === null) throw new CommandError('--cold needs --rate.');
        await withProductionSystem({}, async (system) =>
          measureCold(system, { rate, seconds: minutes * 60, principals: await seeded(system, principals) }),
        );
        return;
      }
      const { profile, timeline } = values;
      const plan = { rate, minutes, subscriptions, principals, profile, timeline };
      await withProductionSystem({}, (system) => measure(system, plan));
    },
  });
}

interface Plan {
  rate: number | null;
  minutes: number;
  subscriptions: number;
  principals: number;
  profile: boolean;
  timeline: boolean;
}

async function measure(system: ProductionSystem, plan: Plan): Promise<void> {
  const principals = await seeded(system, plan.principals);
  const urls = [system.url];
  const load = await startOpenLoad({ urls, principals });
  const share = (index: number) =>
    Math.floor(((index + 1) * plan.subscriptions) / principals.length) -
    Math.floor((index * plan.subscriptions) / principals.length);
  const idle = await startIdleSubscribers({
    urls,
    principals,
    subscriptions: principals.map((_, index) => share(index)),
  });
  try {
    let nth = 0;
    const measured = { system, load, idlePid: idle.pid };
    const attempt = async (perSecond: number, seconds: number, warmSeconds = WARM_SECONDS): Promise<Step> => {
      const maxP99Ms = plan.rate === null ? MAX_P99_MS : null;
      const step = await measureStep(measured, { perSecond, warmSeconds, seconds, seed: ++nth, maxP99Ms });
      console.error(
        `${perSecond}/s for ${seconds} s: ${holds(step.result) ? 'holds' : 'does not hold'}; ${describe(step.result)}; ` +
          `${(step.cpu['all'] ?? Number.NaN).toFixed(3)} ms CPU a request, ${(step.busy * 100).toFixed(0)} % of the cores`,
      );
      for (const failure of step.result.failures.slice(0, 3)) console.error(`  ${failure}`);
      await idle.check();
      await sleep(REST_MS);
      return step;
    };

    console.error('Warming up…');
    const first = await attempt(FIRST_RATE, FIRST_SECONDS, 0);
    console.error(`Opening ${plan.subscriptions} subscriptions…`);
    await idle.open();
    await sleep(REST_MS);
    await idle.check();
    const atRest = await measureRest(pidsOf(measured));
    console.error(`At rest they cost ${(atRest['all'] ?? Number.NaN).toFixed(0)} ms CPU a second.`);
    // From cold to a high rate at once, all would ask for the same at the same time.
    if (plan.rate !== null) await attempt(Math.ceil(plan.rate / 2), STEP_SECONDS);
    let rate =
      plan.rate ??
      (await findRate(Math.round(roomFor(first)), async (perSecond) => {
        const step = await attempt(perSecond, STEP_SECONDS);
        return { holds: holds(step.result), roomFor: roomFor(step) };
      }));
    for (;;) {
      if (rate === 0) throw new CommandError('Not even the lowest rate holds.');
      console.error(`Holding ${rate}/s for ${plan.minutes} min…`);
      const stopProfiles = plan.profile ? await startProfiles(system) : null;
      const cpu = plan.timeline ? sampleCpu(pidsOf(measured)) : null;
      const step = await attempt(rate, plan.minutes * 60);
      if (cpu !== null) printTimeline(step.result, cpu());
      await stopProfiles?.();
      if (holds(step.result) || plan.rate !== null) {
        printReport(step, atRest, rate);
        if (!holds(step.result)) throw new CommandError(`${rate}/s does not hold.`);
        return;
      }
      rate = Math.floor(rate * LOWER);
    }
  } finally {
    await Promise.all([load.stop(), idle.stop()]);
  }
}

/** The rate that would fill the cores, if a request cost as much at it; 0 where none was counted. */
const roomFor = ({ result, busy }: Step): number =>
  result.requests === 0 ? 0 : ((result.requests / result.seconds) * FULL) / busy;

async function seeded(system: ProductionSystem, principals: number) {
  console.error(`Inserting rows of ${principals} principals…`);
  const database = createDb(system.databaseUrl, { max: 1 });
  try {
    return await seed({ db: database.db, issuer: system.issuer, principals });
  } finally {
    await database.close();
  }
}

/** @returns what ends them and prints them */
async function startProfiles(system: ProductionSystem): Promise<() => Promise<void>> {
  const profiled: { name: string; inspector: Inspector }[] = [];
  for (const [name, pid] of Object.entries(system.pids())) {
    if (name === 'postgres' || name.endsWith('-worker')) continue;
    const inspector = await attachInspector(pid);
    await inspector.startProfile();
    profiled.push({ name, inspector });
  }
  return async () => {
    for (const { name, inspector } of profiled) {
      const profile = await inspector.stopProfile();
      printSelfTimes([profile], name);
      printPackageTimes(profile);
      inspector.close();
    }
  };
}

const LOOKUPS = 'timbre_router_response_cache_lookups_total';

interface Step {
  /** Of what was looked for in the response cache, 0 to 1. */
  hits: number;
  result: LoadResult;
  /** Milliseconds a request by process; `all` of them, and whatever else ran on the machine as `other`. */
  cpu: Record<string, number>;
  /** Of the machine's two cores, 0 to 1. */
  busy: number;
}

interface Parts {
  system: ProductionSystem;
  load: OpenLoad;
  idlePid: number;
}

const pidsOf = ({ system, load, idlePid }: Parts): Record<string, number> => ({
  ...system.pids(),
  'the load': load.pid,
  'the subscribers': idlePid,
});

async function measureStep(parts: Parts, step: LoadRun): Promise<Step> {
  const lookups = async () => ({
    all: await readMetric(parts.system.url, LOOKUPS),
    hits: await readMetric(parts.system.url, LOOKUPS, 'outcome="hit"'),
  });
  const running = parts.load.run(step);
  await Promise.race([sleep(step.warmSeconds * 1000), running]);
  const before = await lookups();
  const used = startUsage(pidsOf(parts));
  const result = await running;
  const { cpu, seconds, machine } = used();
  const after = await lookups();
  const hits = (after.hits - before.hits) / Math.max(1, after.all - before.all);
  return { hits, result, cpu: divided({ ...cpu, machine }, result.requests), busy: machine / 1000 / seconds / 2 };
}

/** Milliseconds of CPU time a second by process. */
async function measureRest(pids: Record<string, number>): Promise<Record<string, number>> {
  const used = startUsage(pids);
  await sleep(IDLE_MS);
  const { cpu, seconds } = used();
  return divided(cpu, seconds);
}

/** @returns what tells the milliseconds of CPU time since by process, of `all` of them, and of everything on the machine */
function startUsage(pids: Record<string, number>) {
  const secondsOf = () => [...Object.values(pids).map((pid) => cpuSeconds(pid) ?? Number.NaN), ownSeconds()];
  const [before, machineBefore, begun] = [secondsOf(), busySeconds(), performance.now()];
  return () => {
    const after = secondsOf();
    const each = [...Object.keys(pids), 'the supervisor'].map(
      (name, index) => [name, ((after[index] ?? Number.NaN) - (before[index] ?? Number.NaN)) * 1000] as const,
    );
    return {
      cpu: { ...Object.fromEntries(each), all: each.reduce((sum, [, ms]) => sum + ms, 0) },
      machine: (busySeconds() - machineBefore) * 1000,
      seconds: (performance.now() - begun) / 1000,
    };
  };
}

const divided = (values: Record<string, number>, by: number): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value / by]));

/** Of this process, which reads what the services say, without its children. */
function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** CPU time of everything on the machine that was not idle (proc(5), /proc/stat). */
function busySeconds(): number {
  const [, user, nice, system, , , irq, softirq] = (/^cpu .*$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[0] ?? '')
    .split(/\s+/)
    .map(Number);
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / 100;
}

const describe = ({ requests, seconds, failed, p50Ms, p99Ms, p999Ms }: LoadResult): string =>
  `${((requests / seconds) * 60).toFixed(0)} requests/min, ${failed} failed, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, p99.9 ${p999Ms.toFixed(1)} ms`;

function printReport({ hits, result, cpu }: Step, atRest: Record<string, number>, rate: number): void {
  console.log(
    `\n${aligned([
      ['operation', 'requests', 'p50 ms', 'p99 ms', 'p99.9 ms'],
      ...Object.entries(result.byOperation).map(([name, { requests, p50Ms, p99Ms, p999Ms }]) => [
        name,
        String(requests),
        p50Ms.toFixed(1),
        p99Ms.toFixed(1),
        p999Ms.toFixed(1),
      ]),
    ])}`,
  );
  console.log(
    `\n${aligned([
      ['process', 'CPU ms a request', 'CPU ms a second before the load'],
      ...Object.entries(cpu).map(([name, ms]) => [name, ms.toFixed(3), atRest[name]?.toFixed(1) ?? '']),
    ])}`,
  );
  const cores = ((cpu['all'] ?? Number.NaN) * AIM_PER_MINUTE) / 60 / 1000;
  console.log(`\n${rate}/s: ${describe(result)}; ${(hits * 100).toFixed(1)} % found in the response cache.`);
  console.log(`${AIM_PER_MINUTE} requests a minute need ${cores.toFixed(2)} cores at this CPU time a request.`);
}
