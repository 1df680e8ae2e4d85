import type { Logger } from '@timbre/platform/logger';
import type { Session } from '../engine.ts';
import type { EvaluatePolicies, PolicyAnswers } from './authorization.ts';
import type { Principal } from './principal.ts';

/** Those of some policies that hold. A promise only where somebody has to be asked. */
export type HeldPolicies = (
  policies: readonly string[],
  session: Session,
) => readonly string[] | Promise<readonly string[]>;

export interface PolicyOptions {
  evaluate: EvaluatePolicies | undefined;
  log: Logger;
  ttlMs?: number | undefined;
  /** How long `evaluate` is waited for; default 2 s. */
  timeoutMs?: number;
}

interface Remembered {
  held: readonly string[] | Promise<readonly string[]>;
  until: number;
}

const DEFAULT_TTL_MS = 5_000;
/** That nothing could be found out is remembered for less, and never for nothing: who waits in vain waits once. */
const FAILURE_TTL_MS = 1_000;
/** Different sets of policies that one principal's operations need. */
const MAX_SETS = 100;
const NONE: readonly string[] = [];

/** Nothing holds unless somebody says so: an absent, late or broken evaluation denies, and is nobody else's trouble. */
export function createPolicyEvaluation(options: PolicyOptions): HeldPolicies {
  const { evaluate, log, ttlMs = DEFAULT_TTL_MS, timeoutMs = 2_000 } = options;
  if (evaluate === undefined) return () => NONE;
  const known = new WeakMap<Principal, Map<string, Remembered>>();

  async function ask(
    policies: readonly string[],
    session: Session,
    remembered: Remembered,
  ): Promise<readonly string[]> {
    try {
      const answers = await inTime(evaluate?.(session.principal, policies, session) ?? {}, timeoutMs);
      remembered.held = policies.filter((policy) => Object.hasOwn(answers, policy) && answers[policy] === true);
      remembered.until = Date.now() + ttlMs;
    } catch (error) {
      log.error({ err: error, policies, requestId: session.requestId }, 'policies could not be evaluated: none holds');
      remembered.held = NONE;
      remembered.until = Date.now() + Math.min(ttlMs, FAILURE_TTL_MS);
    }
    return remembered.held;
  }

  return (policies, session) => {
    const { principal } = session;
    const key = JSON.stringify(policies);
    let sets = known.get(principal);
    const recent = sets?.get(key);
    if (recent !== undefined && recent.until > Date.now()) return recent.held;
    const remembered: Remembered = { held: NONE, until: ttlMs === 0 ? 0 : Infinity };
    remembered.held = ask(policies, session, remembered);
    if (ttlMs > 0) {
      if (sets === undefined || sets.size >= MAX_SETS) known.set(principal, (sets = new Map()));
      sets.set(key, remembered);
    }
    return remembered.held;
  };
}

async function inTime(answers: PolicyAnswers | Promise<PolicyAnswers>, ms: number): Promise<PolicyAnswers> {
  if (!(answers instanceof Promise)) return answers;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([answers, late]);
  } finally {
    clearTimeout(timer);
  }
}
