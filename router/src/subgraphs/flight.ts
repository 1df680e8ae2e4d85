import type { Span } from '@timbre/platform/telemetry/tracing';
import type { Watch, Watched } from '@timbre/platform/watch';
import type { Pool } from 'undici';
import type { Breaker } from './circuit-breaker.ts';
import { isGatewayFailure } from './circuit-breaker.ts';
import { decompress, isBomb } from './decompress.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeOwner, ResponseHeaders } from './exchange.ts';
import { Answer, decodeUtf8, readAnswer } from './read-response.ts';
import type { RetryBudget } from './retry-budget.ts';
import { canceled, failureOf, shut, SubgraphOutage, timedOut, tooLarge, unusable } from './subgraph-failures.ts';
import { SubgraphFailure } from './subgraph-transport.ts';
import type { CachingHeaders, Departure, SubgraphResponse } from './subgraph-transport.ts';

/** What the calls of one subgraph have in common. */
export interface Route {
  subgraph: string;
  path: string;
  pool: Pool;
  /** For a call with all its attempts. */
  timeoutMs: number;
  /** For the first byte of an answer, and for the next. */
  silenceMs: number;
  maxBytes: number;
  watch: Watch;
  budget: RetryBudget;
  breaker: Breaker | null;
  onRetry: () => void;
}

export interface FlightPlan {
  headers: string[];
  body: string;
  /** How often it may be repeated where no answer arrived; 0 for what changes something. */
  retries: number;
  /** Of who sent it; who joined it later has spans of their own. */
  span: Span | undefined;
  /** No answer will come any more, or it has. */
  onLanded: (flight: Flight) => void;
}

interface Waiter {
  signal: Departure | undefined;
  resolve: (response: SubgraphResponse) => void;
  reject: (error: unknown) => void;
}

interface AnswerHead {
  status: number;
  type: string | undefined;
  caching: CachingHeaders | undefined;
}

const FIRST_WAIT_MS = 100;

/** A call in flight, with all its attempts, for everybody who waits for its answer. */
export class Flight implements Watched, ExchangeOwner {
  slot = 0;
  readonly #route: Route;
  readonly #plan: FlightPlan;
  readonly #deadline: number;
  #waiters: Waiter[] = [];
  /** On it depends whether the subgraph is called again: such a call goes on when nobody waits any more. */
  #probe: PromiseWithResolvers<Answer> | null = null;
  #exchange: Exchange | null = null;
  #pause: NodeJS.Timeout | undefined;
  /** Of the answer, when it was last looked at. */
  #heard = 0;
  #heardAt: number;
  #retried = 0;
  #started = false;
  #landed = false;

  constructor(route: Route, plan: FlightPlan) {
    this.#route = route;
    this.#plan = plan;
    const now = performance.now();
    this.#deadline = now + route.timeoutMs;
    this.#heardAt = now;
  }

  /**
   * The answer, read anew for each who waits, as they may change what they get. The first to wait sets it off. Who
   * leaves does not disturb the others; when the last leaves the call is canceled.
   *
   * @throws SubgraphFailure
   */
  wait(signal: Departure | undefined): Promise<SubgraphResponse> {
    const answer = new Promise<SubgraphResponse>((resolve, reject) => {
      this.#waiters.push({ signal, resolve, reject });
    });
    if (!this.#started) this.#start();
    return answer;
  }

  check(now: number): void {
    if (now >= this.#deadline || this.#isSilent(now)) {
      this.#abort(timedOut(this.#route.subgraph));
      return;
    }
    const gone = this.#waiters.filter(({ signal }) => signal?.aborted === true);
    if (gone.length === 0) return;
    const failure = canceled(this.#route.subgraph);
    this.#waiters = this.#waiters.filter((waiter) => !gone.includes(waiter));
    for (const { reject } of gone) reject(failure);
    if (this.#waiters.length === 0 && this.#probe === null) this.#abort(failure);
  }

  answered(status: number, headers: ResponseHeaders, body: Buffer): void {
    if (this.#landed) return;
    const encoding = headers['content-encoding'];
    const type = headers['content-type'];
    const answer = { status, type: Array.isArray(type) ? type[0] : type, caching: cachingOf(headers) };
    if (encoding === undefined) {
      this.#decoded(answer, body);
      return;
    }
    const { subgraph, maxBytes } = this.#route;
    const known = decompress(String(encoding), body, maxBytes, (error, bytes) => {
      if (error === null) this.#decoded(answer, bytes);
      else if (isBomb(error)) this.#fail(tooLarge(subgraph, maxBytes, error));
      else this.#fail(unusable(subgraph, `answered ${status} with broken compression`, error));
    });
    if (!known) this.#fail(unusable(subgraph, `answered ${status} in an encoding that was not asked for`));
  }

  failed(error: Error): void {
    if (this.#landed) return;
    const failure = failureOf(this.#route.subgraph, error, this.#route.maxBytes);
    if (failure instanceof SubgraphOutage && failure.retryable && this.#again()) return;
    this.#fail(failure);
  }

  /** As often as is looked: what was heard since the last look counts as heard now. */
  #isSilent(now: number): boolean {
    const heard = this.#exchange?.heard ?? 0;
    if (heard !== this.#heard || this.#exchange === null) {
      this.#heard = heard;
      this.#heardAt = now;
      return false;
    }
    return now - this.#heardAt >= this.#route.silenceMs;
  }

  #start(): void {
    const { breaker, budget, watch } = this.#route;
    this.#started = true;
    budget.earn();
    watch.add(this);
    if (breaker === null || breaker.state === 'closed') {
      this.#attempt();
      return;
    }
    breaker
      .attempt(() => {
        this.#probe = Promise.withResolvers();
        this.#attempt();
        return this.#probe.promise;
      })
      // Who waits hears of it after the breaker, which would refuse what they ask for next.
      .then(
        (answer) => this.#tell(answer),
        (error: unknown) => {
          if (error instanceof SubgraphFailure) this.#tell(error);
          else this.#fail(shut(this.#route.subgraph, error));
        },
      );
  }

  #attempt(): void {
    const { pool, path, maxBytes } = this.#route;
    this.#exchange = new Exchange(this, maxBytes);
    pool.dispatch({ method: 'POST', path, headers: this.#plan.headers, body: this.#plan.body }, this.#exchange);
  }

  /** Tries again after a while where that is allowed. */
  #again(): boolean {
    const { budget, onRetry } = this.#route;
    if (this.#retried >= this.#plan.retries) return false;
    // Full jitter: those that failed together do not come back together.
    const wait = Math.random() * FIRST_WAIT_MS * 2 ** this.#retried;
    if (performance.now() + wait >= this.#deadline || !budget.spend()) return false;
    this.#retried += 1;
    onRetry();
    this.#exchange = null;
    this.#pause = setTimeout(() => this.#attempt(), wait);
    return true;
  }

  #decoded({ status, type, caching }: AnswerHead, body: Buffer): void {
    if (this.#landed) return;
    const text = decodeUtf8(body);
    if (text === null) {
      this.#fail(unusable(this.#route.subgraph, `answered ${status} with text that is not UTF-8`));
      return;
    }
    const answer = new Answer(status, type, text, caching);
    if (isGatewayFailure(answer) && this.#again()) return;
    this.#land(answer);
  }

  #abort(failure: SubgraphFailure): void {
    this.#fail(failure);
    this.#exchange?.abort(failure);
  }

  #fail(failure: SubgraphFailure): void {
    if (!this.#landed) this.#land(failure);
  }

  #land(outcome: Answer | SubgraphFailure): void {
    this.#landed = true;
    clearTimeout(this.#pause);
    const { watch, breaker } = this.#route;
    watch.delete(this);
    this.#plan.onLanded(this);
    const { span } = this.#plan;
    if (span?.recorded === true && outcome instanceof Answer) span.set({ 'http.response.status_code': outcome.status });
    if (this.#probe === null) {
      breaker?.report(outcome);
      this.#tell(outcome);
    } else if (outcome instanceof Answer) {
      this.#probe.resolve(outcome);
    } else {
      this.#probe.reject(outcome);
    }
  }

  #tell(outcome: Answer | SubgraphFailure): void {
    for (const { resolve, reject } of this.#waiters) {
      if (!(outcome instanceof Answer)) {
        reject(outcome);
        continue;
      }
      try {
        resolve(readAnswer(this.#route.subgraph, outcome));
      } catch (error) {
        reject(error);
      }
    }
  }
}

function cachingOf(headers: ResponseHeaders): CachingHeaders | undefined {
  const cacheControl = headers['cache-control'];
  if (cacheControl === undefined) return undefined;
  const [age, vary] = [headers['age'], headers['vary']];
  return { cacheControl: String(cacheControl), age: age?.toString(), vary: vary?.toString() };
}
