export type { Plan as PlanRow } from '@timbre/db/billing/plans';
export type { ChargeRow, QuotaRow } from '@timbre/db/ledger';

/** An entity that another subgraph owns. */
export interface UserRef {
  id: string;
}

export interface GenerationRef {
  id: string;
}
