import { errors } from 'undici';
import { SubgraphFailure } from './subgraph-transport.ts';

/**
 * Nothing usable came back from the network: a connection refused or cut, a timeout. The circuit breaker
 * counts these. What a subgraph answers, be it nonsense, shows that it is there.
 */
export class SubgraphOutage extends SubgraphFailure {
  /** The answer never arrived and might on another connection; a timeout has spent the time for that. */
  readonly retryable: boolean;

  constructor(subgraph: string, code: 'SUBGRAPH_UNAVAILABLE' | 'TIMEOUT', what: string, cause?: unknown) {
    super(subgraph, code, what, cause);
    this.retryable = code !== 'TIMEOUT' && isLostConnection(cause);
  }
}

const LOST: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);

function isLostConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && LOST.has(error.code);
}

export function timedOut(subgraph: string, cause?: unknown): SubgraphOutage {
  return new SubgraphOutage(subgraph, 'TIMEOUT', 'did not answer in time', cause);
}

export function canceled(subgraph: string): SubgraphFailure {
  return new SubgraphFailure(subgraph, 'CANCELED', 'was not waited for: the client has gone');
}

export function unusable(subgraph: string, what: string, cause?: unknown): SubgraphFailure {
  return new SubgraphFailure(subgraph, 'SUBGRAPH_UNAVAILABLE', what, cause);
}

/** The circuit breaker is open. */
export function shut(subgraph: string, cause?: unknown): SubgraphFailure {
  return unusable(subgraph, 'is not called for now, as it did not answer before', cause);
}

export function tooLarge(subgraph: string, maxBytes: number, cause?: unknown): SubgraphFailure {
  return unusable(subgraph, `answered with more than ${maxBytes} bytes`, cause);
}

/** What an error of the HTTP client means. */
export function failureOf(subgraph: string, error: unknown, maxBytes: number): SubgraphFailure {
  if (error instanceof SubgraphFailure) return error;
  if (error instanceof errors.ResponseExceededMaxSizeError) return tooLarge(subgraph, maxBytes, error);
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    return timedOut(subgraph, error);
  }
  if (error instanceof errors.InvalidArgumentError) return unusable(subgraph, 'cannot be asked this', error);
  return new SubgraphOutage(subgraph, 'SUBGRAPH_UNAVAILABLE', 'cannot be reached', error);
}
