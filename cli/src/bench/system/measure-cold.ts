import { startOpenLoad } from './load.ts';
import { printTimeline, sampleCpu } from './print-timeline.ts';
import type { SeededPrincipal } from './seed.ts';
import type { ProductionSystem } from './with-production-system.ts';

export interface ColdStart {
  /** Requests a second, from the first on. */
  rate: number;
  seconds: number;
  principals: readonly SeededPrincipal[];
}

/** So much is in time. */
const QUICK_P99_MS = 1_000;

/** When a system catches up that is met by a high rate with nothing warm and nothing kept, and what becomes of requests until then. */
export async function measureCold(system: ProductionSystem, { rate, seconds, principals }: ColdStart): Promise<void> {
  const load = await startOpenLoad({ urls: [system.url], principals });
  try {
    const cpu = sampleCpu({ ...system.pids(), 'the load': load.pid });
    const result = await load.run({ perSecond: rate, warmSeconds: 0, seconds, seed: 1, maxP99Ms: null });
    printTimeline(result, cpu());
    const { timeline } = result;
    const last = timeline.findLastIndex(({ refused, failed, p99Ms }) => refused + failed > 0 || p99Ms > QUICK_P99_MS);
    const sum = (of: 'answered' | 'refused') => timeline.reduce((all, second) => all + second[of], 0);
    console.log(
      `\nFrom cold to ${rate}/s: ${
        last === timeline.length - 1 ? 'it does not catch up' : `all are answered in time from second ${last + 1} on`
      }; ${sum('answered')} answered, ${sum('refused')} refused, ${result.failed - sum('refused')} failed or took longer than 10 s.`,
    );
    for (const failure of result.failures.slice(0, 3)) console.log(`  ${failure}`);
  } finally {
    await load.stop();
  }
}
