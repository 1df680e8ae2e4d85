import { findPlan } from '@timbre/db/billing/plans';
import type { PlanResolvers } from '../generated/types.ts';

export const Plan: PlanResolvers = {
  __resolveReference: ({ id }) => findPlan(id),
  formats: ({ formats }) => [...formats],
};
