import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@timbre/platform/logger';
import type { Session, SupergraphEngine } from '../engine.ts';
import type { RouterMetrics } from '../metrics.ts';
import type { DocumentRequest, Prepare } from '../operations/prepare-operation.ts';
import { OperationRefused } from '../operations/refusal.ts';
import type { Subscription } from './subscribe-operation.ts';

/** The supergraph that subscriptions move to. */
export interface Destination {
  prepare: Prepare;
  engine: SupergraphEngine;
  /** Keeps it from ending until the function that is returned is called. */
  hold(): () => void;
}

export interface OpenSubscription {
  request: DocumentRequest;
  session: Session;
  subscription: Subscription;
  /** What it was prepared on last. */
  on: Destination;
}

export interface OpenSubscriptions {
  /** @returns what takes it out when it has ended */
  add(open: OpenSubscription): () => void;
  /**
   * Moves every subscription that is on another supergraph. One whose operation is not valid any more, or whose
   * subgraph is gone, goes on as it is for a little while and ends with SUBSCRIPTION_SCHEMA_RELOAD: not all in the
   * same moment, since each client comes back at once.
   */
  moveTo(destination: Destination): Promise<void>;
}

/** The ends of those that cannot stay are spread over so long. */
const STAGGER_MS = 5_000;
/** Then others have their turn; and subgraphs get no more than so many new subscriptions in so many milliseconds. */
const AT_ONCE = 20;
const RENEWALS_PAUSE_MS = 10;

export function createOpenSubscriptions({ log, metrics }: { log: Logger; metrics: RouterMetrics }): OpenSubscriptions {
  const all = new Set<OpenSubscription>();

  function endSoon(open: OpenSubscription): void {
    // Nothing moves it any more.
    all.delete(open);
    const end = () =>
      open.subscription.fail(
        'SUBSCRIPTION_SCHEMA_RELOAD',
        'The schema has changed and the subscription is not valid any more: subscribe again.',
      );
    setTimeout(end, Math.random() * STAGGER_MS).unref();
  }

  async function move(open: OpenSubscription, destination: Destination): Promise<'kept' | 'renewed' | 'ended'> {
    const leave = destination.hold();
    try {
      const prepared = await destination.prepare(open.request, { ...open.session, incremental: false });
      const how = destination.engine.adopt(open.subscription, prepared, open.session, leave);
      if (how !== null) {
        open.on = destination;
        return how;
      }
    } catch (error) {
      if (!(error instanceof OperationRefused)) log.error({ err: error }, 'a subscription could not be moved');
    }
    leave();
    endSoon(open);
    return 'ended';
  }

  return {
    add(open) {
      all.add(open);
      return () => all.delete(open);
    },
    async moveTo(destination) {
      let moved = 0;
      let renewed = 0;
      for (const open of all) {
        if (open.on === destination) continue;
        const outcome = await move(open, destination);
        metrics.subscriptionMoves.inc({ outcome });
        moved += 1;
        if (outcome === 'renewed' && (renewed += 1) % AT_ONCE === 0) await delay(RENEWALS_PAUSE_MS);
        else if (moved % AT_ONCE === 0) await nextTurn();
      }
      if (moved > 0) log.info({ moved }, 'the open subscriptions have been looked at');
    },
  };
}
