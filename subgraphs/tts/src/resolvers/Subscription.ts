import { requireViewer } from '@timbre/platform/viewer';
import type { SubscriptionResolvers } from '../generated/types.ts';
import type { EventRow } from '../rows.ts';
import { followGeneration } from '../services/follow-generation.ts';

export const Subscription: SubscriptionResolvers = {
  generationEvents: {
    subscribe: (_, { id, afterSequence }, { deps, identity, signal, lastSequences }) =>
      followGeneration(deps, { viewerId: requireViewer(identity), id, afterSequence, signal, lastSequences }),
    resolve: (event: EventRow) => event,
  },
};
