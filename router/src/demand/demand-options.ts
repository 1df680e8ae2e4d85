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

export interface SubgraphDemand {
  /** The most points that it may be estimated to cost: beyond, the subgraph is not called. */
  maximum?: number | undefined;
  /** What a list counts about which nothing is said. */
  listSize?: number | undefined;
}

export interface DemandOptions {
  /** `measure` counts what would be refused, and refuses nothing. */
  mode: 'measure' | 'enforce';
  /** The most points that an operation may be estimated to cost; absent: any. */
  maximum?: ByPlan<number> | undefined;
  /** The bucket of points that operations are paid from; absent: none. */
  budget?: ByPlan<Allowance> | undefined;
  /**
   * What a document costs on top that this router does not know, or has not planned for such rights: taken before it is
   * looked at; at most a whole bucket, default nothing.
   */
  planning?: number | undefined;
  /** Whether clients are told in `extensions.cost`; default false. */
  tell?: boolean | undefined;
  /**
   * By what costs are counted. `supergraph`, the default: the operation that is left when a caller's rights are looked at,
   * and its response. `fetches`, as the Apollo Router does: what a plan asks subgraphs for, by its rules, and what they answer.
   */
  estimate?: 'supergraph' | 'fetches' | undefined;
  /** Whether clients are told what of it is whose; default false. */
  bySubgraph?: boolean | undefined;
  /** Of all that an operation asks one subgraph for. */
  subgraphs?:
    | { all?: SubgraphDemand | undefined; named?: Readonly<Record<string, SubgraphDemand>> | undefined }
    | undefined;
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

/** What is said about one subgraph, or else about all. */
export function forSubgraph<Key extends keyof SubgraphDemand>(
  { subgraphs: { all, named } = {} }: DemandOptions,
  subgraph: string,
  key: Key,
): SubgraphDemand[Key] {
  const own = named !== undefined && Object.hasOwn(named, subgraph) ? named[subgraph]?.[key] : undefined;
  return own ?? all?.[key];
}

export function hasSubgraphMaximum({ subgraphs: { all, named } = {} }: DemandOptions): boolean {
  return [all, ...Object.values(named ?? {})].some((each) => each?.maximum !== undefined);
}
