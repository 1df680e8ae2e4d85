import { hash } from 'node:crypto';
import type { Principal } from '../auth/principal.ts';
import type { CallContext } from '../subgraphs/subgraph-transport.ts';
import type { SubscriptionTransport, UpstreamSink } from '../subgraphs/ws-transport.ts';
import type { UpstreamOperation } from './resume.ts';

export interface UpstreamSubscription {
  principal: Principal;
  operation: UpstreamOperation;
  operationName: string | undefined;
  context: CallContext;
}

export interface SharedUpstream {
  /** @returns what takes this sink away; the last one to leave ends the upstream subscription */
  subscribe(subscription: UpstreamSubscription, sink: UpstreamSink): () => void;
  close(): Promise<void>;
}

/** One upstream subscription and those who read it. */
interface Shared {
  sinks: Set<UpstreamSink>;
  leave: () => void;
}

/**
 * Lets identical subscriptions of one principal at one subgraph read one upstream subscription.
 * Identical: the same text, operation name and variables; the place that a resumable one starts from is one of the variables.
 * The same principal: all that subgraphs are told of, so that another token of the same user is the
 * same and another scope is not. When a token ends or is revoked is for each reader to mind.
 *
 * Only until the first event: whether a subgraph replays what came before or sends the present state first
 * cannot be seen from outside, and then who comes later must be served from the start, as a subscription
 * of his own is. Up to the first event there is no difference.
 */
export function shareUpstream(transport: SubscriptionTransport): SharedUpstream {
  /** Those that have had no event. */
  const joinable = new Map<string, Shared>();

  function open(key: string, { operation, operationName, context }: UpstreamSubscription): Shared {
    const sinks = new Set<UpstreamSink>();
    const close = () => {
      if (joinable.get(key) === shared) joinable.delete(key);
    };
    const end = (tell: (sink: UpstreamSink) => void) => {
      close();
      for (const sink of sinks) tell(sink);
      sinks.clear();
    };
    const shared: Shared = { sinks, leave: close };
    joinable.set(key, shared);
    const unsubscribe = transport.subscribe(
      () => ({
        query: operation.query,
        operationName,
        variables: operation.variables(),
        extensions: { identity: context.identity(), requestId: context.requestId, ...context.span?.headers },
      }),
      {
        next(event, bytes) {
          close();
          operation.saw(event);
          for (const sink of sinks) sink.next(event, bytes);
        },
        error: (errors) => end((sink) => sink.error(errors)),
        complete: () => end((sink) => sink.complete()),
      },
    );
    shared.leave = () => {
      close();
      unsubscribe();
    };
    return shared;
  }

  return {
    subscribe(subscription, sink) {
      const key = keyOf(subscription);
      const shared = joinable.get(key) ?? open(key, subscription);
      shared.sinks.add(sink);
      return () => {
        if (shared.sinks.delete(sink) && shared.sinks.size === 0) shared.leave();
      };
    },
    close: () => transport.close(),
  };
}

/** A digest: there is one for each of very many subscriptions. */
function keyOf({ principal, operation, operationName }: UpstreamSubscription): string {
  const { expiresAt: _expiresAt, credential: _credential, ...told } = principal;
  const parts = [told, operation.query, operationName, operation.variables()];
  return hash('sha256', JSON.stringify(parts), 'base64');
}
