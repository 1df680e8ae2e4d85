import { sql } from 'drizzle-orm';
import { check, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core';
import { usersSchema } from './schema.ts';

export { usersSchema };

export const USER_ROLES = ['USER', 'SUPPORT', 'ADMIN'] as const;

/** One row per subject of one issuer; every owner column elsewhere holds `id`. */
export const users = usersSchema.table(
  'users',
  {
    id: text().primaryKey(),
    issuer: text().notNull(),
    subject: text().notNull(),
    email: text(),
    displayName: text(),
    role: text({ enum: USER_ROLES }).notNull().default('USER'),
    /** Set while the person is shut out; the principal endpoint reports it and the router refuses them. */
    blockedAt: timestamp({ withTimezone: true, precision: 3 }),
    createdAt: timestamp({ withTimezone: true, precision: 3 }).notNull().defaultNow(),
    updatedAt: timestamp({ withTimezone: true, precision: 3 }).notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('users_issuer_subject').on(t.issuer, t.subject),
    check('users_role', sql`${t.role} in ('USER', 'SUPPORT', 'ADMIN')`),
  ],
);
