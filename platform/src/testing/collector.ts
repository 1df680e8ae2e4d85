import { once } from 'node:events';
import { createServer } from 'node:http';
import { z } from 'zod';
import { readJson } from '../http-body.ts';

/** A span as it was exported. */
export interface CollectedSpan {
  /** Of its resource. */
  service: string;
  resource: Readonly<Record<string, unknown>>;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  attributes: Readonly<Record<string, unknown>>;
  links: readonly { traceId: string; spanId: string }[];
  failure: string | undefined;
  tracestate: string | undefined;
}

export interface Collector {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  url: string;
  spans: CollectedSpan[];
  /** Everything that it was sent. */
  text: () => string;
  requests: { headers: NodeJS.Dict<string | string[]> }[];
  /** Answers nothing until it is told to go on. */
  hang: () => () => void;
  /** Resolves with all spans when there is one of each of these names. */
  until: (...names: string[]) => Promise<CollectedSpan[]>;
  close: () => Promise<void>;
}

const attributes = z
  .array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }))
  .default([])
  .transform((all) => Object.fromEntries(all.map(({ key, value }) => [key, Object.values(value)[0]])));

const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              attributes,
              links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
              status: z.object({ code: z.number().optional(), message: z.string().optional() }).optional(),
              traceState: z.string().optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** An OpenTelemetry collector that remembers what it is sent (OTLP over HTTP, JSON). */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const requests: Collector['requests'] = [];
  const texts: string[] = [];
  const waiting = new Set<() => void>();
  let gate: Promise<void> | null = null;

  const server = createServer((req, res) => {
    void (async () => {
      requests.push({ headers: req.headers });
      const body = await readJson(req, 64 * 1024 * 1024);
      if (gate !== null) await gate;
      texts.push(JSON.stringify(body));
      for (const { resource, scopeSpans } of exportSchema.parse(body).resourceSpans) {
        for (const { status, traceState: tracestate, parentSpanId, ...span } of scopeSpans.flatMap(
          (scope) => scope.spans,
        )) {
          spans.push({
            ...span,
            parentSpanId,
            tracestate,
            service: String(resource.attributes['service.name']),
            resource: resource.attributes,
            failure: status?.code === 2 ? (status.message ?? '') : undefined,
          });
        }
      }
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      for (const look of waiting) look();
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The collector has no port.');

  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    requests,
    text: () => texts.join('\n'),
    hang() {
      const held = Promise.withResolvers<void>();
      gate = held.promise;
      return () => {
        gate = null;
        held.resolve();
      };
    },
    until: (...names) =>
      new Promise((resolve) => {
        const look = () => {
          if (!names.every((name) => spans.some((span) => span.name === name))) return;
          waiting.delete(look);
          resolve(spans);
        };
        waiting.add(look);
        look();
      }),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
