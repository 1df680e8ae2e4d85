import { requireViewer } from '@timbre/platform/viewer';
import type { SubscriptionResolvers } from '../generated/types.ts';
import type { QuotaRow } from '../rows.ts';

export const Subscription: SubscriptionResolvers = {
  quotaChanged: {
    subscribe: (_, _args, { identity, followQuota }) => followQuota(requireViewer(identity)),
    resolve: (quota: QuotaRow) => quota,
  },
};
