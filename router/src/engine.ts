import type { IncomingHttpHeaders } from 'node:http';
import type { Logger } from '@timbre/platform/logger';
import type { Span } from '@timbre/platform/telemetry/tracing';
import type { Principal } from './auth/principal.ts';
import type { Ask, CachedOperation, ResponseCache } from './cache/response-cache.ts';
import { internalError } from './execution/client-errors.ts';
import { executeOperation } from './execution/execute-operation.ts';
import type { Execution, ExecutionOutcome } from './execution/execute-operation.ts';
import type { RedactErrors } from './execution/redact-errors.ts';
import type { RouterMetrics } from './metrics.ts';
import type { DocumentRequest, OperationRequest, Prepare, PreparedOperation } from './operations/prepare-operation.ts';
import { OperationRefused, refusal } from './operations/refusal.ts';
import type { ConnectionLease } from './subgraphs/connections.ts';
import type { PropagateHeaders } from './subgraphs/propagate-headers.ts';
import { SubgraphFailure } from './subgraphs/subgraph-transport.ts';
import type { CallContext, Departure } from './subgraphs/subgraph-transport.ts';
import type { ResumeRules } from './subscriptions/resume.ts';
import { subscribeOperation } from './subscriptions/subscribe-operation.ts';
import type { OutcomeStream, Subscription, SubscriptionTarget } from './subscriptions/subscribe-operation.ts';
import type { LoadedSupergraph } from './supergraph/load-supergraph.ts';
import { beginFetchSpan, endFetchSpan, failFetchSpan } from './telemetry/fetch-span.ts';
import type { ClientIdentity } from './transports/client-identity.ts';

/** One request of one caller, whatever brought it. */
export interface Session {
  principal: Principal;
  requestId: string;
  signal?: Departure | undefined;
  /** Of the client's request, or of the handshake of its websocket. */
  headers?: IncomingHttpHeaders | undefined;
  /** The client reads what is delivered later; default false: everything comes at once. */
  incremental?: boolean;
  transport: 'http' | 'ws';
  /** What callers without a token are told apart by; null where it is not known. */
  address: string | null;
  client: ClientIdentity;
  /** What is done for it belongs to this span, rather than to its operation's. */
  span?: Span | undefined;
  /** Called before a document that is not known yet is looked at, or planned. @throws OperationRefused */
  payForNew?: (() => void | Promise<void>) | undefined;
}

/** What the transports run operations on. */
export interface Engine {
  /** @throws OperationRefused */
  prepare(request: OperationRequest, session: Session): Promise<PreparedOperation>;
  /** A query or a mutation. @throws OperationRefused where a policy refuses it; else it never rejects */
  execute(prepared: PreparedOperation, session: Session): Promise<ExecutionOutcome>;
  /** A subscription; an outcome where there is nothing to subscribe to because all of it is forbidden. */
  subscribe(prepared: PreparedOperation, session: Session): OutcomeStream | Promise<OutcomeStream | ExecutionOutcome>;
  close(): Promise<void>;
}

/** What stands between the transports and the engine that runs operations: an engine around an engine. */
export type Policy = (next: Engine) => Engine;

/** An {@link Engine} on one supergraph. */
export interface SupergraphEngine extends Omit<Engine, 'prepare' | 'subscribe'> {
  /** @throws OperationRefused */
  prepare(request: DocumentRequest, session: Session): Promise<PreparedOperation>;
  /** `onLeft` is called when nothing of the subscription runs here any more. */
  subscribe(
    prepared: PreparedOperation,
    session: Session,
    onLeft: () => void,
  ): Subscription | Promise<ExecutionOutcome>;
  /** Moves a subscription here from another supergraph's engine; null where there is nothing to subscribe to. */
  adopt(
    subscription: Subscription,
    prepared: PreparedOperation,
    session: Session,
    onLeft: () => void,
  ): 'kept' | 'renewed' | null;
  /** Lets go of the supergraph and of the connections: for when nothing runs any more. */
  close(): Promise<void>;
}

export interface EngineOptions {
  supergraph: LoadedSupergraph;
  prepare: Prepare;
  /** The signed identity of a principal for subgraphs; null sends none. */
  identityOf: ((principal: Principal) => string) | null;
  propagateHeaders: PropagateHeaders;
  connections: ConnectionLease;
  log: Logger;
  metrics: RouterMetrics;
  /** Null: every fetch is asked for. */
  cache: ResponseCache | null;
  /** By request id; null: clients are told what subgraphs say of their errors. */
  redaction: ((requestId: string) => RedactErrors) | null;
  resume: ResumeRules;
  eventQueueCapacity?: number;
}

export function createEngine(options: EngineOptions): SupergraphEngine {
  const { supergraph, prepare, identityOf, propagateHeaders, log, metrics, redaction } = options;
  const { calls, streams } = options.connections;
  const cache = options.cache?.on(supergraph) ?? null;

  const contextOf = ({ principal, requestId, signal, headers }: Session, span: Span | undefined): CallContext => ({
    requestId,
    signal,
    identity: () => identityOf?.(principal) ?? null,
    headers: propagateHeaders(headers),
    span,
  });

  const askerOf = (ofOperation: CallContext): Ask => {
    return async (request, isDetached = false) => {
      const name = request.operation.subgraph;
      const transport = calls.get(name);
      if (transport === undefined) throw new SubgraphFailure(name, 'SUBGRAPH_UNAVAILABLE', 'is not known');
      const context = isDetached ? { ...ofOperation, signal: undefined, span: undefined } : ofOperation;
      const span = context.span?.recorded === true ? beginFetchSpan(context.span, request) : context.span;
      const started = performance.now();
      const count = (outcome: 'ok' | 'errors' | 'failed') =>
        metrics.fetchDuration.with(name, outcome).observe((performance.now() - started) / 1000);
      try {
        const response = await transport.call(request, span === context.span ? context : { ...context, span });
        count(response.errors === undefined ? 'ok' : 'errors');
        if (span !== undefined) endFetchSpan(span, response);
        return response;
      } catch (error) {
        count('failed');
        if (span !== undefined) failFetchSpan(span, error);
        if (error instanceof SubgraphFailure && error.code !== 'CANCELED') {
          const { message, code, cause } = error;
          const reason = cause instanceof Error ? cause.message : undefined;
          log.warn({ subgraph: name, code, reason, requestId: context.requestId }, message);
        }
        throw error;
      }
    };
  };

  function openCached(prepared: PreparedOperation, session: Session): CachedOperation {
    const context = contextOf(session, session.span ?? prepared.span);
    const ask = askerOf(context);
    if (cache === null) return { ask, describe: (outcome) => outcome };
    const { principal, headers: sent } = session;
    const { dependsOnPolicies } = prepared;
    return cache.open(
      prepared.operation.operation,
      { principal, headers: context.headers, sent, dependsOnPolicies },
      ask,
    );
  }

  const executionWith = (ask: Ask, prepared: PreparedOperation, session: Session): Execution => ({
    ...prepared,
    call: ask,
    redact: redaction?.(session.requestId) ?? null,
  });

  const executionOf = (prepared: PreparedOperation, session: Session): Execution =>
    executionWith(openCached(prepared, session).ask, prepared, session);

  const execute: Engine['execute'] = async (prepared, session) => {
    try {
      const { ask, describe } = openCached(prepared, session);
      return describe(await executeOperation(executionWith(ask, prepared, session)));
    } catch (error) {
      log.error({ err: error, requestId: session.requestId }, 'an operation could not be executed');
      return { data: null, errors: [internalError(session.requestId)] };
    }
  };

  function targetOf(prepared: PreparedOperation, session: Session, onLeft: () => void): SubscriptionTarget | null {
    const { primary } = prepared.executable.plan;
    const upstream = primary === null ? undefined : streams.get(primary.operation.subgraph);
    if (primary === null || upstream === undefined) return null;
    const executionIn = (span: Span) => executionOf(prepared, { ...session, span });
    const execution = executionOf(prepared, session);
    const { isStillAllowed } = prepared;
    return { execution, executionIn, primary, schema: supergraph.schema, upstream, isStillAllowed, onLeft };
  }

  return {
    execute,
    async prepare(request, session) {
      try {
        return await prepare(request, session);
      } catch (error) {
        if (error instanceof OperationRefused) throw error;
        log.error({ err: error, requestId: session.requestId }, 'an operation could not be prepared');
        throw new OperationRefused([internalError(session.requestId)]);
      }
    },
    subscribe(prepared, session, onLeft) {
      const { primary } = prepared.executable.plan;
      if (primary === null) return execute(prepared, session).finally(onLeft);
      const target = targetOf(prepared, session, onLeft);
      if (target === null) throw refusal('SUBGRAPH_UNAVAILABLE', `No subgraph "${primary.operation.subgraph}".`);
      return subscribeOperation({
        target,
        resume: options.resume,
        context: contextOf(session, session.span),
        principal: session.principal,
        log,
        ...(options.eventQueueCapacity === undefined ? {} : { capacity: options.eventQueueCapacity }),
      });
    },
    adopt(subscription, prepared, session, onLeft) {
      const target = targetOf(prepared, session, onLeft);
      return target === null ? null : subscription.move(target);
    },
    async close() {
      supergraph.unload();
      await options.connections.release();
    },
  };
}
