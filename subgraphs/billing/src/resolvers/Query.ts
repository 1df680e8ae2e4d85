import { PLANS } from '@timbre/db/billing/plans';
import type { QueryResolvers } from '../generated/types.ts';

export const Query: QueryResolvers = {
  plans: () => [...PLANS],
};
