import type { Data } from '../execution/data.ts';
import type { ObjectShape } from '../execution/response-shape.ts';
import type { SubgraphOperation } from '../subgraphs/subgraph-transport.ts';
import { costOfFields } from './actual-cost.ts';
import type { ShapeCosts } from './actual-cost.ts';
import { bounded } from './term.ts';
import type { Variables } from './term.ts';

/** Points by the name of a subgraph. */
export type CostBySubgraph = Readonly<Record<string, number>>;

/** How the cost of an operation is counted, whatever the variables and whoever asks. */
export interface OperationCosts {
  /** Of the response. */
  shapes: ShapeCosts;
  /** What every execution costs, and every event. */
  base: number;
  /** By fetches; null where nobody wants to know. */
  fetches: FetchCosts | null;
  /** Whether the fetches are what counts, and not the response. */
  countsFetches: boolean;
}

export interface FetchCosts {
  estimate(coerced: Variables): CostBySubgraph;
  /** Of what a subgraph answered. */
  actualOf(operation: SubgraphOperation, data: Data, coerced: Variables): number;
}

/** What one execution, or one event, has cost so far. */
export class ActualCost {
  readonly bySubgraph: Record<string, number> | null;
  readonly #costs: OperationCosts;
  readonly #coerced: Variables;
  #ofResponse: number;
  #ofFetches = 0;

  constructor(costs: OperationCosts, coerced: Variables) {
    this.#costs = costs;
    this.#coerced = coerced;
    this.#ofResponse = costs.base;
    this.bySubgraph = costs.fetches === null ? null : {};
  }

  /** Never below zero, whatever weights are: who pays would be given more than had been taken. */
  get total(): number {
    return bounded(this.#costs.countsFetches ? this.#ofFetches : this.#ofResponse);
  }

  /** A part of the response is made of this. */
  completed(shape: ObjectShape, data: Data): void {
    if (!this.#costs.countsFetches) this.#ofResponse += costOfFields(shape, data, this.#coerced);
  }

  /** A subgraph has answered. */
  fetched(operation: SubgraphOperation, data: Data | null | undefined): void {
    if (this.bySubgraph === null || data === null || data === undefined) return;
    const cost = this.#costs.fetches?.actualOf(operation, data, this.#coerced) ?? 0;
    this.#ofFetches += cost;
    this.bySubgraph[operation.subgraph] = (this.bySubgraph[operation.subgraph] ?? 0) + cost;
  }
}
