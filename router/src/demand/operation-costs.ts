import type { ShapeCosts } from './actual-cost.ts';

/** What an operation has cost so far. */
export interface ActualCost {
  total: number;
}

/** How the cost of an operation is counted, whatever the variables and whoever asks. */
export interface OperationCosts {
  shapes: ShapeCosts;
  /** Of one execution, or of one event. */
  start: () => ActualCost;
}
