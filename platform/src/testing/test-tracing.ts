import { Registry } from 'prom-client';
import { createLogger } from '../logger.ts';
import { openTracing } from '../telemetry/open-tracing.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { startCollector } from './collector.ts';
import type { Collector } from './collector.ts';

export interface TestTracing {
  collector: Collector;
  /** Tracing of a service that exports to the collector at once. */
  tracingOf: (service: string) => Promise<Tracing>;
  close: () => Promise<void>;
}

export async function startTestTracing(): Promise<TestTracing> {
  const collector = await startCollector();
  const opened: Tracing[] = [];
  return {
    collector,
    async tracingOf(service) {
      const log = createLogger({ name: service, level: 'silent' });
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '10' };
      const tracing = await openTracing(env, { service, log, registry: new Registry() });
      if (tracing === null) throw new Error('Tracing is off.');
      opened.push(tracing);
      return tracing;
    },
    async close() {
      await Promise.all(opened.map((tracing) => tracing.close()));
      await collector.close();
    },
  };
}
