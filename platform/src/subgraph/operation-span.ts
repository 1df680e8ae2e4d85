import type { SpanAttributes } from '../telemetry/tracing.ts';

const KIND = /^\s*(query|mutation|subscription)\b/;

/** What a span tells of an operation (opentelemetry.io/docs/specs/semconv/graphql): neither its text nor its variables. */
export function operationAttributes(request: unknown): SpanAttributes {
  if (typeof request !== 'object' || request === null) return {};
  const attributes: Record<string, string> = {};
  if ('operationName' in request && typeof request.operationName === 'string') {
    attributes['graphql.operation.name'] = request.operationName;
  }
  if ('query' in request && typeof request.query === 'string') {
    attributes['graphql.operation.type'] = KIND.exec(request.query)?.[1] ?? 'query';
  }
  return attributes;
}
