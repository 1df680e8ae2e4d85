import type { SubscriptionResolvers } from '../generated/types.ts';
import type { VoiceRow } from '../rows.ts';

export const Subscription: SubscriptionResolvers = {
  voiceStatusChanged: {
    subscribe: (_, { voiceId }, { viewerId, voices, signal }) => voices.follow({ viewerId, voiceId, signal }),
    resolve: (voice: VoiceRow) => voice,
  },
};
