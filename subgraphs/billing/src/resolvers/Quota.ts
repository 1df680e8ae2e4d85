import type { QuotaResolvers } from '../generated/types.ts';

export const Quota: QuotaResolvers = {
  // No plan lets anybody spend what they do not have.
  overageAllowed: () => false,
};
