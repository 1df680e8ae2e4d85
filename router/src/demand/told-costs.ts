import type { ExecutionOutcome } from '../execution/execute-operation.ts';
import type { PreparedOperation } from '../operations/prepare-operation.ts';
import { budgetHeaders } from './budget-headers.ts';
import type { Allowance } from './budgets.ts';
import type { DemandOptions } from './demand-options.ts';
import type { ActualCost, CostBySubgraph } from './operation-costs.ts';

type Numbers = Readonly<Record<string, unknown>>;

/** What clients are told of costs: in `extensions.cost` where that is wanted, of the budget in headers, too. */
export function createToldCosts({ tell, bySubgraph }: Required<Pick<DemandOptions, 'tell' | 'bySubgraph'>>) {
  const extension = (allowance: Allowance | undefined, numbers: Numbers, available: number) => ({
    cost: allowance === undefined ? numbers : { ...numbers, budget: budgetOf(allowance, available) },
  });

  return {
    /** Beside the totals, what of them is whose. */
    numbersOf: (totals: Numbers, { estimatedBySubgraph }: PreparedOperation, cost: ActualCost | undefined): Numbers =>
      bySubgraph && tell
        ? { ...totals, bySubgraph: shares(estimatedBySubgraph ?? {}, cost?.bySubgraph ?? null) }
        : totals,

    /** @param allowance undefined without budgets */
    extension,

    /** @returns the outcome itself */
    dress(outcome: ExecutionOutcome, allowance: Allowance | undefined, numbers: Numbers, available: number) {
      if (tell) outcome.extensions = { ...outcome.extensions, ...extension(allowance, numbers, available) };
      if (allowance !== undefined) {
        outcome.headers = { ...outcome.headers, ...budgetHeaders(allowance, available, null) };
      }
      return outcome;
    },
  };
}

function shares(estimated: CostBySubgraph, actual: CostBySubgraph | null): Record<string, Numbers> {
  const told: Record<string, Numbers> = {};
  for (const subgraph in { ...estimated, ...actual }) {
    const share = { estimated: estimated[subgraph] ?? 0 };
    told[subgraph] = actual === null ? share : { ...share, actual: actual[subgraph] ?? 0 };
  }
  return told;
}

function budgetOf({ limit, restoreRate }: Allowance, available: number) {
  return { limit, available: Math.floor(available), restoreRate };
}
