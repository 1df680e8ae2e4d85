import type { Span } from '@timbre/platform/telemetry/tracing';
import { SubgraphFailure } from '../subgraphs/subgraph-transport.ts';
import type { SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';

/** The span of a call of a subgraph. How many entities are asked for is told, not which. */
export function beginFetchSpan(parent: Span, { operation, variables }: SubgraphRequest): Span {
  const { subgraph, kind, operationName } = operation;
  const representations = variables?.['representations'];
  return parent.child(`fetch ${subgraph}`, 'client', {
    'timbre.subgraph': subgraph,
    'graphql.operation.type': kind,
    ...(operationName === undefined ? {} : { 'graphql.operation.name': operationName }),
    ...(Array.isArray(representations) ? { 'timbre.entities': representations.length } : {}),
  });
}

export function endFetchSpan(span: Span, { errors }: SubgraphResponse): void {
  if (errors !== undefined) {
    const code = errors[0]?.extensions?.['code'];
    span.set({ 'graphql.error.count': errors.length });
    span.fail(typeof code === 'string' ? code : 'errors');
  }
  span.end();
}

/** A failure's message is fit for clients: it holds nothing of theirs. */
export function failFetchSpan(span: Span, error: unknown): void {
  span.fail(error instanceof SubgraphFailure ? `${error.code}: ${error.message}` : 'INTERNAL_SERVER_ERROR');
  span.end();
}
