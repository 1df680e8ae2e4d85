import type { GraphClient } from '@timbre/cli/client/graph-client';
import { QuotaChangedDocument } from '@timbre/cli/generated/graphql';

export interface Followed {
  /** With what the stream ends, and when, by `performance.now()`. The error is null where it just ends. */
  ended: Promise<{ error: unknown; at: number }>;
}

/** A subscription that says nothing more after its first event, which has come. */
export async function followQuota(client: GraphClient): Promise<Followed> {
  const events = client.subscribe(QuotaChangedDocument, {});
  await events.next();
  const ended = events.next().then(
    () => ({ error: null, at: performance.now() }),
    (error: unknown) => ({ error, at: performance.now() }),
  );
  return { ended };
}

/** Ends a stream of whoever may no longer what they might when it began. */
export const REVOKED = { codes: ['SUBSCRIPTION_AUTH_REVOKED'] };

/** A revocation is told, in much less than this; a router that was not told looks for itself every ten seconds. */
export const TOLD_WITHIN_MS = 3_000;
