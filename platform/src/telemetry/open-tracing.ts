import type { Registry } from 'prom-client';
import { z } from 'zod';
import { envField, envFields, parseEnv } from '../env.ts';
import type { EnvSource } from '../env.ts';
import type { Logger } from '../logger.ts';
import type { Tracing } from './tracing.ts';

export interface TracingOptions {
  /** `service.name`, unless `OTEL_SERVICE_NAME` says another. */
  service: string;
  log: Logger;
  /** Counts the spans that were exported, and those that were lost. */
  registry: Registry;
}

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export type SamplerName = (typeof SAMPLERS)[number];

/** opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables; the exporter reads the rest of its own. */
const tracingEnv = z.object({
  OTEL_SDK_DISABLED: envFields.boolean.default(false),
  OTEL_EXPORTER_OTLP_ENDPOINT: envFields.url.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: envFields.url.optional(),
  OTEL_TRACES_SAMPLER: envField(`one of ${SAMPLERS.join(', ')}`, (text) =>
    SAMPLERS.find((sampler) => sampler === text),
  ).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: envField('a share from 0 to 1', shareOf).default(1),
  OTEL_BSP_SCHEDULE_DELAY: envFields.integer(1, 600_000).default(5_000),
  OTEL_BSP_MAX_QUEUE_SIZE: envFields.integer(1, 1_000_000).default(2_048),
});

/**
 * The tracing that the environment asks for: null, with nothing loaded, unless it names an OTLP endpoint.
 *
 * @throws EnvError that lists every bad variable
 */
export async function openTracing(source: EnvSource, options: TracingOptions): Promise<Tracing | null> {
  const env = parseEnv(tracingEnv, source);
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const url = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base === undefined ? undefined : `${base}/v1/traces`);
  if (url === undefined || env.OTEL_SDK_DISABLED) return null;
  const { startTracing } = await import('./start-tracing.ts');
  return startTracing({
    ...options,
    url,
    sampler: env.OTEL_TRACES_SAMPLER,
    ratio: env.OTEL_TRACES_SAMPLER_ARG,
    delayMs: env.OTEL_BSP_SCHEDULE_DELAY,
    queueSize: env.OTEL_BSP_MAX_QUEUE_SIZE,
  });
}

function shareOf(text: string): number | undefined {
  const share = Number(text);
  return share >= 0 && share <= 1 ? share : undefined;
}
