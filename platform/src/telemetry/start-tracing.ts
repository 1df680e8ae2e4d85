import {
  createNoopMeter,
  createTraceState,
  ROOT_CONTEXT,
  SpanKind as Kind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import type {
  Context,
  Counter as OtelCounter,
  Link,
  MeterProvider,
  Span as OtelSpan,
  SpanContext,
  Tracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Sampler } from '@opentelemetry/sdk-trace';
import { Counter } from 'prom-client';
import type { Logger } from '../logger.ts';
import type { SamplerName, TracingOptions } from './open-tracing.ts';
import { parseTraceHeaders } from './trace-headers.ts';
import type { Span, SpanAttributes, SpanKind, TraceHeaders, Tracing, UntrustedTraceHeaders } from './tracing.ts';

export interface ExportOptions extends TracingOptions {
  /** Of the collector's traces. */
  url: string;
  sampler: SamplerName;
  /** Of the samplers that go by it. */
  ratio: number;
  /** Between two exports. */
  delayMs: number;
  /** Spans that wait for an export; what comes while it is full is dropped. */
  queueSize: number;
}

const BATCH_SIZE = 512;
/** A statement or a name may be of any length. */
const ATTRIBUTE_LENGTH = 2_048;
const CLOSE_MS = 2_000;

const KINDS: Record<SpanKind, Kind> = {
  internal: Kind.INTERNAL,
  server: Kind.SERVER,
  client: Kind.CLIENT,
  consumer: Kind.CONSUMER,
};

/** Tracing by OpenTelemetry's SDK, exported as OTLP over HTTP (JSON). An export that fails costs its spans and nothing else. */
export function startTracing(options: ExportOptions): Tracing {
  const { service, url, delayMs, queueSize } = options;
  const resource = resourceFromAttributes({ 'service.name': service, 'service.namespace': 'timbre' }).merge(
    detectResources({ detectors: [envDetector] }),
  );
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url }),
    scheduledDelayMillis: delayMs,
    maxQueueSize: queueSize,
    maxExportBatchSize: Math.min(BATCH_SIZE, queueSize),
    selfObsMeterProvider: countSpans(options),
  });
  const spanLimits = { attributeValueLengthLimit: ATTRIBUTE_LENGTH };
  const idGenerator = new TraceIds();
  const tracerBy = (sampler: Sampler) =>
    new TracerProvider({ resource, spanLimits, sampler, idGenerator, spanProcessors: [processor] }).getTracer('timbre');
  const sampler = samplerOf(options.sampler, options.ratio);
  const tracer = tracerBy(sampler);
  // What is below a recorded span, or follows one, has been decided on.
  const within = tracerBy(new AlwaysOnSampler());

  return {
    serve(name, kind, from, attributes) {
      const context = contextOf(from);
      if (context === ROOT_CONTEXT) {
        const traceId = idGenerator.generateTraceId();
        const { decision } = sampler.shouldSample(context, traceId, name, KINDS[kind], attributes ?? {}, []);
        if (decision === SamplingDecision.NOT_RECORD) {
          return new UnsampledSpan({ traceId, spanId: idGenerator.generateSpanId(), traceFlags: TraceFlags.NONE });
        }
        idGenerator.decided = traceId;
      }
      const span = tracer.startSpan(name, { kind: KINDS[kind], ...(attributes && { attributes }) }, context);
      return span.isRecording() ? new RecordedSpan(span, within) : new UnsampledSpan(span.spanContext());
    },
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      });
      // What could not be exported has been counted.
      await Promise.race([processor.shutdown().catch(() => undefined), patience]);
      clearTimeout(timer);
    },
  };
}

function samplerOf(name: SamplerName, ratio: number): Sampler {
  if (name === 'always_on') return new AlwaysOnSampler();
  if (name === 'always_off') return new AlwaysOffSampler();
  if (name === 'traceidratio') return new TraceIdRatioBasedSampler(ratio);
  if (name === 'parentbased_always_on') return new ParentBasedSampler({ root: new AlwaysOnSampler() });
  if (name === 'parentbased_always_off') return new ParentBasedSampler({ root: new AlwaysOffSampler() });
  return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
}

/** The SDK tells a meter what became of the spans. */
function countSpans({ registry, log }: { registry: TracingOptions['registry']; log: Logger }): MeterProvider {
  const spans = new Counter({
    name: 'timbre_trace_spans_total',
    help: 'Spans by what became of them: exported, dropped as the queue was full, or lost as the collector did not take them.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  for (const outcome of ['exported', 'dropped', 'lost']) spans.inc({ outcome }, 0);
  let failing = false;
  const counter: OtelCounter = {
    add(count, attributes) {
      const error = attributes?.['error.type'];
      if (error === undefined) {
        spans.inc({ outcome: 'exported' }, count);
        failing = false;
      } else if (error === 'queue_full') {
        spans.inc({ outcome: 'dropped' }, count);
      } else {
        spans.inc({ outcome: 'lost' }, count);
        if (!failing) log.warn({ reason: error }, 'spans cannot be exported');
        failing = true;
      }
    },
  };
  // Of all that it measures, the processor's only counter is wanted.
  const meter = new Proxy(createNoopMeter(), {
    get: (noop, name): unknown => (name === 'createCounter' ? () => counter : Reflect.get(noop, name)),
  });
  return { getMeter: () => meter };
}

function contextOf(from: UntrustedTraceHeaders | undefined): Context {
  const parent = from === undefined ? null : parseTraceHeaders(from);
  if (parent === null) return ROOT_CONTEXT;
  const { traceId, spanId, sampled, tracestate } = parent;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  });
}

function headersOf({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceHeaders {
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
  const tracestate = traceState?.serialize();
  return tracestate === undefined || tracestate === '' ? { traceparent } : { traceparent, tracestate };
}

/** A trace that is sampled is begun with the id that was decided by; for the many that are not, the SDK does nothing. */
class TraceIds extends RandomIdGenerator {
  decided: string | null = null;

  override generateTraceId(): string {
    const traceId = this.decided ?? super.generateTraceId();
    this.decided = null;
    return traceId;
  }
}

class RecordedSpan implements Span {
  readonly recorded = true;
  readonly #span: OtelSpan;
  readonly #tracer: Tracer;
  #context: Context | null = null;

  constructor(span: OtelSpan, tracer: Tracer) {
    this.#span = span;
    this.#tracer = tracer;
  }

  get headers(): TraceHeaders {
    return headersOf(this.#span.spanContext());
  }

  child(name: string, kind: SpanKind, attributes: SpanAttributes = {}): Span {
    this.#context ??= trace.setSpan(ROOT_CONTEXT, this.#span);
    return this.#begin(name, kind, attributes, this.#context, []);
  }

  follow(name: string, kind: SpanKind, attributes: SpanAttributes = {}, from?: UntrustedTraceHeaders): Span {
    return this.#begin(name, kind, attributes, contextOf(from), [{ context: this.#span.spanContext() }]);
  }

  #begin(name: string, kind: SpanKind, attributes: SpanAttributes, context: Context, links: Link[]): Span {
    const span = this.#tracer.startSpan(name, { kind: KINDS[kind], attributes: { ...attributes }, links }, context);
    return new RecordedSpan(span, this.#tracer);
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes({ ...attributes });
  }

  fail(message: string): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
  }

  end(): void {
    this.#span.end();
  }
}

/** Nothing of the trace is recorded, and every process that takes part is told so. */
class UnsampledSpan implements Span {
  readonly recorded = false;
  readonly #context: SpanContext;
  #headers: TraceHeaders | null = null;

  constructor(context: SpanContext) {
    this.#context = context;
  }

  get headers(): TraceHeaders {
    this.#headers ??= headersOf(this.#context);
    return this.#headers;
  }

  child(): Span {
    return this;
  }

  follow(): Span {
    return this;
  }

  rename(): void {
    // Nobody wants to know.
  }

  set(): void {
    // Nobody wants to know.
  }

  fail(): void {
    // Nobody wants to know.
  }

  end(): void {
    // Nobody wants to know.
  }
}
