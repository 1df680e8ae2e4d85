import type { Session } from '../engine.ts';
import type { Principal } from './principal.ts';

/** What becomes of what a caller may not see. The default: it is null, with an error at its path. */
export interface AuthorizationOptions {
  /**
   * `filter` (default) answers the rest; `reject` refuses an operation of which anything is not allowed, whatever its
   * conditions, before any subgraph is asked.
   */
  unauthorized?: 'filter' | 'reject';
  /** Everything is answered as if it were allowed, with the errors that there would be; nothing is refused. Default false. */
  dryRun?: boolean;
  errors?: {
    /** One line of log for every operation of which something is not allowed; default false. */
    log?: boolean;
    /** Where the client is told: default `errors`; `extensions.authorizationErrors`; or not at all. */
    response?: ErrorPlacement;
  };
  /** Which `@policy`s hold; default none. */
  evaluatePolicies?: EvaluatePolicies;
  /**
   * For how long an answer of `evaluatePolicies` holds for the principal, whatever the session; default 5,000. Where it
   * depends on more than the principal, on a header for one: 0.
   */
  policiesTtlMs?: number;
}

/** Told where it is begun: of what the router refuses else, only what subgraphs refuse themselves is refused. */
export const DRY_RUN_WARNING =
  'authorization.dryRun is on: the router refuses nobody anything, and mutations are run for those who may not run them';

export type ErrorPlacement = 'errors' | 'extensions' | 'disabled';

/**
 * Says which of the policies that an operation needs hold for a caller. What it does not say `true` of does not hold;
 * nor does any where it throws, or says nothing for two seconds.
 */
export type EvaluatePolicies = (
  principal: Principal,
  policies: readonly string[],
  session: Session,
) => PolicyAnswers | Promise<PolicyAnswers>;

export type PolicyAnswers = Readonly<Record<string, boolean | null | undefined>>;
