import { CircuitState, circuitBreaker, handleType, SamplingBreaker } from 'cockatiel';
import { Answer } from './read-response.ts';
import { SubgraphOutage } from './subgraph-failures.ts';
import type { SubgraphFailure } from './subgraph-transport.ts';

export interface BreakerOptions {
  /** Share of calls that must fail before it opens. */
  threshold: number;
  /** Over how long that is counted. */
  windowMs: number;
  /** Calls in a window below which it stays closed. */
  minimumCalls: number;
  /** How long it stays open before one call is let through to try. */
  openMs: number;
}

export type BreakerState = 'closed' | 'half-open' | 'open';

export interface Breaker {
  /** Closed lets everything pass; open nothing until it is time to try; half-open while one call tries. */
  readonly state: BreakerState;
  /** How a call went that was made while it was closed. */
  report(outcome: Answer | SubgraphFailure): void;
  /**
   * Makes a call while it is not closed, if it is time: on how that goes it depends what follows.
   *
   * @throws BrokenCircuitError where it is not time yet
   */
  attempt(call: () => Promise<Answer>): Promise<Answer>;
}

/** What a proxy says when the subgraph behind it is not there. */
export const isGatewayFailure = ({ status }: Answer): boolean => status >= 502 && status <= 504;

const isOutage = (outcome: Answer | SubgraphFailure): boolean =>
  outcome instanceof Answer ? isGatewayFailure(outcome) : outcome instanceof SubgraphOutage;

const isCanceled = (outcome: Answer | SubgraphFailure): boolean =>
  !(outcome instanceof Answer) && outcome.code === 'CANCELED';

/**
 * Stops calling a subgraph that does not answer: with most calls failing, the rest fail at once, and now and then
 * one is let through to see whether it is back. Counts outages, not what a subgraph answers, so that no client
 * can shut a subgraph to the others by asking for something it refuses.
 */
export function createBreaker(
  { threshold, windowMs, minimumCalls, openMs }: BreakerOptions,
  onState: (state: BreakerState) => void,
): Breaker {
  const samples = new SamplingBreaker({ threshold, duration: windowMs, minimumRps: (minimumCalls * 1000) / windowMs });
  const policy = circuitBreaker(
    handleType(SubgraphOutage).orWhenResult((answer) => answer instanceof Answer && isGatewayFailure(answer)),
    { halfOpenAfter: openMs, breaker: samples },
  );
  policy.onStateChange(() => onState(stateOf(policy.state)));
  return {
    get state() {
      return stateOf(policy.state);
    },
    report(outcome) {
      if (policy.state !== CircuitState.Closed || isCanceled(outcome)) return;
      // Only outages take the way through the policy: its promises cost 2 µs a call.
      if (!isOutage(outcome)) samples.success(CircuitState.Closed);
      else policy.execute(() => (outcome instanceof Answer ? outcome : Promise.reject(outcome))).catch(ignore);
    },
    attempt: (call) => policy.execute(call),
  };
}

function stateOf(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return 'closed';
  return state === CircuitState.HalfOpen ? 'half-open' : 'open';
}

function ignore(): void {
  // The outcome that was reported comes back.
}
