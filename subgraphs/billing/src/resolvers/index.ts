import { DateTime } from '@timbre/platform/scalars';
import type { Resolvers } from '../generated/types.ts';
import { Generation } from './Generation.ts';
import { Plan } from './Plan.ts';
import { Query } from './Query.ts';
import { Quota } from './Quota.ts';
import { Subscription } from './Subscription.ts';
import { User } from './User.ts';

export const resolvers: Resolvers = { DateTime, Generation, Plan, Query, Quota, Subscription, User };
