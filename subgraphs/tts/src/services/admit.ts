import type { Plan } from '@timbre/db/billing/plans';
import type { Tx } from '@timbre/db/client';
import { hold } from '@timbre/db/ledger/hold';
import type { Identity } from '@timbre/platform/identity';
import { requireViewer } from '@timbre/platform/viewer';
import { countActive, lockTenant, readMeanRunMs } from '../repos/generations.ts';
import { Refusal } from './refusal.ts';

/** Generations that may wait for each one that may run. */
const WAITING_PER_SLOT = 20;
/** After this long without an end the ledger's reaper asks whether the generation is still alive. */
const HOLD_TTL_SECONDS = 3600;
const RETRY_AFTER_MS = { least: 1_000, unknown: 5_000, most: 60_000 };

/** Whose credits are spent, and with what. */
export interface Spender {
  userId: string;
  /** Null where it is no API key. */
  apiKeyId: string | null;
}

/** @throws AppError UNAUTHENTICATED for the anonymous. */
export function spenderOf(identity: Identity): Spender {
  const { credential } = identity;
  return { userId: requireViewer(identity), apiKeyId: credential?.kind === 'key' ? credential.id : null };
}

export interface Admission {
  spender: Spender;
  generationId: string;
  /** To hold; 0 holds nothing. */
  credits: number;
  plan: Plan;
}

/**
 * Lets a generation in: its credits are held and there is room in the tenant's queue. Quota is asked first. Returns
 * how many of the tenant's generations are queued before it. The tenant's starts wait for each other here, so that of
 * any number at once exactly those get in that fit.
 */
export async function admit(tx: Tx, { spender, generationId, credits, plan }: Admission): Promise<number> {
  const { userId: ownerId } = spender;
  await lockTenant(tx, ownerId);
  if (credits > 0) {
    const held = await hold(tx, { ...spender, generationId, credits, ttlSeconds: HOLD_TTL_SECONDS });
    if (!held.ok) {
      const { required, available, resetsAt } = held;
      const what =
        held.of === 'key' ? `the API key may spend ${String(available)}` : `${String(available)} are available`;
      throw new Refusal([
        {
          __typename: 'QuotaExceededError',
          code: 'QUOTA_EXCEEDED',
          message: `This costs ${String(required)} credits; ${what} until ${resetsAt.toISOString()}.`,
          path: ['input', 'text'],
          required,
          available,
          resetsAt,
        },
      ]);
    }
  }
  const { queued, active } = await countActive(tx, ownerId);
  // Those that have a slot of their own do not wait, even if no worker has picked them up yet.
  const limit = plan.concurrency * WAITING_PER_SLOT;
  if (active - plan.concurrency < limit) return queued;
  const meanMs = await readMeanRunMs(tx, ownerId);
  const estimate = meanMs === null ? RETRY_AFTER_MS.unknown : meanMs / plan.concurrency;
  throw new Refusal([
    {
      __typename: 'ConcurrencyLimitError',
      code: 'CONCURRENCY_LIMIT',
      message: `${String(active - plan.concurrency)} generations are waiting; the plan ${plan.tier} lets ${String(limit)} wait.`,
      path: null,
      limit,
      retryAfterMs: Math.round(Math.min(RETRY_AFTER_MS.most, Math.max(RETRY_AFTER_MS.least, estimate))),
    },
  ]);
}
