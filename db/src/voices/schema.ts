import { pgSchema } from 'drizzle-orm/pg-core';

export const voicesSchema = pgSchema('voices');
