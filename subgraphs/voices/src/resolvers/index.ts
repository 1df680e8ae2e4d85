import { DateTime } from '@timbre/platform/scalars';
import type { Resolvers } from '../generated/types.ts';
import { Mutation } from './Mutation.ts';
import { Query } from './Query.ts';
import { Subscription } from './Subscription.ts';
import { User } from './User.ts';
import { Voice } from './Voice.ts';
import { VoiceConnection } from './VoiceConnection.ts';

/** Whatever is not named here is a field of its row, or of an error that carries its own `__typename`. */
export const resolvers: Resolvers = { DateTime, Mutation, Query, Subscription, User, Voice, VoiceConnection };
