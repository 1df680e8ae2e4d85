import type { ErrorCode } from '@timbre/platform/errors';
import type { Span } from '@timbre/platform/telemetry/tracing';
import type { GraphQLFormattedError } from 'graphql';

/** One operation for a subgraph: made once, sent many times. Its identity is stable, so that it can be a key. */
export interface SubgraphOperation {
  readonly subgraph: string;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly query: string;
  readonly operationName: string | undefined;
}

export interface SubgraphRequest {
  operation: SubgraphOperation;
  variables: Readonly<Record<string, unknown>> | undefined;
  /** Which changes the answer is known to include: not shared with calls of which others are. */
  asOf?: number;
}

export interface SubgraphResponse {
  data?: Record<string, unknown> | null | undefined;
  errors?: readonly GraphQLFormattedError[] | undefined;
  /** What the subgraph says of keeping it; absent where it says nothing. */
  caching?: CachingHeaders;
  /** The JSON that it was read from. */
  text?: string;
  /** Others get the same data: it is not to be changed. */
  isShared?: true;
}

/** Headers of an answer, as they were sent. */
export interface CachingHeaders {
  cacheControl: string;
  age: string | undefined;
  vary: string | undefined;
}

/** Whether who asked has gone: an AbortSignal, or something that costs less. It is looked at now and then. */
export interface Departure {
  readonly aborted: boolean;
}

/** On whose behalf a subgraph is called. */
export interface CallContext {
  requestId: string;
  /** The signed identity; null where none is sent (a foreign supergraph). Called anew for every call: it expires. */
  identity: () => string | null;
  /** Propagated from the client's request; lower-case names. */
  headers?: Readonly<Record<string, string>> | undefined;
  signal?: Departure | undefined;
  /** The call's own, whose trace goes on at the subgraph. */
  span?: Span | undefined;
}

/** A subgraph did not give a GraphQL answer. The message is fit for clients: it names no address. */
export class SubgraphFailure extends Error {
  readonly subgraph: string;
  readonly code: ErrorCode;

  constructor(subgraph: string, code: ErrorCode, what: string, cause?: unknown) {
    super(`The subgraph "${subgraph}" ${what}.`, cause === undefined ? undefined : { cause });
    this.name = 'SubgraphFailure';
    this.subgraph = subgraph;
    this.code = code;
  }
}

export interface SubgraphTransport {
  /** @throws SubgraphFailure */
  call(request: SubgraphRequest, context: CallContext): Promise<SubgraphResponse>;
  close(): Promise<void>;
}
