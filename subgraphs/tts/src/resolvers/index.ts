import { DateTime } from '@timbre/platform/scalars';
import type { Resolvers } from '../generated/types.ts';
import { Generation } from './Generation.ts';
import { GenerationChunk } from './GenerationChunk.ts';
import { Model } from './Model.ts';
import { Mutation } from './Mutation.ts';
import { Query } from './Query.ts';
import { Subscription } from './Subscription.ts';
import { User } from './User.ts';
import { Voice } from './Voice.ts';

/** Whatever is not named here is a field of its row; events and errors carry their own `__typename`. */
export const resolvers: Resolvers = {
  DateTime,
  Generation,
  GenerationChunk,
  Model,
  Mutation,
  Query,
  Subscription,
  User,
  Voice,
};
