import { hash } from 'node:crypto';
import type { Span, SpanAttributes, Tracing, UntrustedTraceHeaders } from '@timbre/platform/telemetry/tracing';
import type { GraphQLError } from 'graphql';
import type { Policy, Session } from '../engine.ts';
import { codeOf } from '../error-code.ts';
import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import type { OperationRequest, PreparedOperation } from '../operations/prepare-operation.ts';
import { OperationRefused } from '../operations/refusal.ts';
import type { OutcomeStream } from '../subscriptions/subscribe-operation.ts';
import { isAsyncIterable } from '../transports/observed-stream.ts';
import { watchStream } from '../subscriptions/watch-stream.ts';

/**
 * A span for each operation (opentelemetry.io/docs/specs/semconv/graphql), in the trace that the request names: by its
 * headers over HTTP, by its extensions over a websocket. It lasts until everything has been delivered, and a
 * subscription's until it is open: its events are spans of their own, with a link to it. They tell neither the document
 * nor its variables, but the document's hash.
 */
export function traceOperations(tracing: Tracing): Policy {
  return (next) => {
    const hashes = new WeakMap<PreparedOperation['executable'], string>();

    function describe({ operation, executable }: PreparedOperation): SpanAttributes {
      let digest = hashes.get(executable);
      if (digest === undefined) {
        digest = hash('sha256', operation.loc?.source.body ?? '');
        hashes.set(executable, digest);
      }
      return {
        'graphql.operation.type': operation.operation,
        'timbre.document.sha256': digest,
        ...(operation.name && { 'graphql.operation.name': operation.name.value }),
      };
    }

    async function prepareIn(span: Span, request: OperationRequest, session: Session): Promise<PreparedOperation> {
      span.set(callerOf(session));
      const preparing = span.child('prepare', 'internal');
      try {
        const prepared = await next.prepare(request, { ...session, span: preparing });
        span.rename(prepared.operation.operation);
        span.set(describe(prepared));
        return prepared;
      } catch (error) {
        const { errors, code } = failureOf(error);
        preparing.fail(code);
        tell(span, errors, code);
        span.end();
        throw error;
      } finally {
        preparing.end();
      }
    }

    async function executeIn(span: Span, prepared: PreparedOperation, session: Session): Promise<ExecutionOutcome> {
      try {
        return told(span, await next.execute(prepared, session));
      } catch (error) {
        refused(span, error);
        throw error;
      }
    }

    return {
      async prepare(request, session) {
        const span = tracing.serve('GraphQL Operation', 'server', carrierOf(request, session));
        const preparing = span.recorded ? prepareIn(span, request, session) : next.prepare(request, session);
        const prepared = await preparing;
        // Every request has one of its own: a map beside it would cost more than all else of what is not sampled.
        prepared.span = span;
        return prepared;
      },
      execute(prepared, session) {
        const { span } = prepared;
        return span?.recorded === true ? executeIn(span, prepared, session) : next.execute(prepared, session);
      },
      subscribe(prepared, session) {
        const { span } = prepared;
        let results: ReturnType<typeof next.subscribe>;
        try {
          results = next.subscribe(prepared, { ...session, span });
        } catch (error) {
          refused(span, error);
          throw error;
        }
        if (results instanceof Promise)
          return results.then(
            (opened) => toldOpening(span, opened),
            (error: unknown) => {
              refused(span, error);
              throw error;
            },
          );
        span?.end();
        return results;
      },
      close: () => next.close(),
    };
  };
}

function carrierOf({ extensions }: OperationRequest, { headers, transport }: Session): UntrustedTraceHeaders {
  // The headers of a websocket are those of its handshake, and none of its operations'.
  return (transport === 'ws' ? extensions : headers) ?? {};
}

function callerOf({ client, requestId, transport }: Session): SpanAttributes {
  return {
    'timbre.request.id': requestId,
    'timbre.transport': transport,
    ...(client.name === null ? {} : { 'graphql.client.name': client.name }),
    ...(client.version === null ? {} : { 'graphql.client.version': client.version }),
  };
}

function refused(span: Span | undefined, error: unknown): void {
  if (span === undefined) return;
  const { errors, code } = failureOf(error);
  tell(span, errors, code);
  span.end();
}

function toldOpening(
  span: Span | undefined,
  opened: OutcomeStream | ExecutionOutcome,
): OutcomeStream | ExecutionOutcome {
  if (span === undefined) return opened;
  if (!isAsyncIterable(opened)) return told(span, opened);
  span.end();
  return opened;
}

function told(span: Span, outcome: ExecutionOutcome): ExecutionOutcome {
  if (outcome.errors !== undefined) tell(span, outcome.errors, codeOf(outcome.errors[0]));
  if (outcome.incremental === undefined) {
    span.end();
    return outcome;
  }
  return { ...outcome, incremental: watchStream(outcome.incremental, { onEnd: () => span.end() }) };
}

/** Codes, not messages: those can hold what the client has sent. */
function tell(span: Span, errors: readonly GraphQLError[], code: string): void {
  span.set({ 'graphql.error.count': errors.length, 'timbre.error.code': code });
  span.fail(code);
}

function failureOf(error: unknown): { errors: readonly GraphQLError[]; code: string } {
  const errors = error instanceof OperationRefused ? error.errors : [];
  return { errors, code: codeOf(errors[0]) };
}
