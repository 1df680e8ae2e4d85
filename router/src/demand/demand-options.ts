import { isAuthenticated } from '../auth/principal.ts';
import type { Principal } from '../auth/principal.ts';
import type { Allowance } from './budgets.ts';

/** Something that depends on the plan of who asks. */
export interface ByPlan<T> {
  /** For every principal about whom nothing else is said. */
  default: T;
  /** For callers without a token. */
  anonymous?: T | undefined;
  /** By the names of plans. */
  plans?: Readonly<Record<string, T>> | undefined;
}

export function forPrincipal<T>({ default: otherwise, anonymous, plans }: ByPlan<T>, principal: Principal): T {
  if (!isAuthenticated(principal)) return anonymous ?? otherwise;
  const { plan } = principal;
  if (plan === null || plans === undefined || !Object.hasOwn(plans, plan)) return otherwise;
  return plans[plan] ?? otherwise;
}

export interface DemandOptions {
  /** `measure` counts what would be refused, and refuses nothing. */
  mode: 'measure' | 'enforce';
  /** The most points that an operation may be estimated to cost; absent: any. */
  maximum?: ByPlan<number> | undefined;
  /** The bucket of points that operations are paid from; absent: none. */
  budget?: ByPlan<Allowance> | undefined;
  /** Whether clients are told in `extensions.cost`; default false. */
  tell?: boolean | undefined;
  /** What a list counts about which the supergraph says nothing; default 10. */
  listSize?: number | undefined;
}

/** The plans about which something is said. */
export function plansOf({ maximum, budget }: DemandOptions): string[] {
  return [...new Set([maximum, budget].flatMap((byPlan) => Object.keys(byPlan?.plans ?? {})))];
}

const DEFAULT_LIST_SIZE = 10;

export function listSizeOf({ listSize = DEFAULT_LIST_SIZE }: DemandOptions): number {
  return listSize;
}
