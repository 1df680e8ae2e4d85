import { pgSchema } from 'drizzle-orm/pg-core';

export const usersSchema = pgSchema('users');
