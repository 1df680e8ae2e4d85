import { DateTime } from '@timbre/platform/scalars';
import type { Resolvers } from '../generated/types.ts';
import { ApiKey } from './ApiKey.ts';
import { Mutation } from './Mutation.ts';
import { Node } from './Node.ts';
import { Query } from './Query.ts';
import { User } from './User.ts';
import { UserError } from './UserError.ts';

export const resolvers: Resolvers = { ApiKey, DateTime, Mutation, Node, Query, User, UserError };
