import { sql } from 'drizzle-orm';
import { bigint, check, index, integer, primaryKey, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core';
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

const instant = () => timestamp({ withTimezone: true, precision: 3 });

/** Keys of machines. What is given out is never stored: `secretHash` is keyed with a secret that is not in the database. */
export const apiKeys = usersSchema.table(
  'api_keys',
  {
    id: text().primaryKey(),
    userId: text()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    secretHash: text().notNull(),
    scopes: text().array().notNull(),
    /** In credits; null: the plan's. */
    monthlyCreditLimit: integer(),
    /** To the minute. */
    lastUsedAt: instant(),
    expiresAt: instant(),
    revokedAt: instant(),
    /** The key that it was made with; null where a person made it. */
    createdBy: text(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    index('api_keys_user').on(t.userId, t.id),
    index('api_keys_created_by')
      .on(t.createdBy)
      .where(sql`created_by is not null`),
  ],
);

/** `user`: everything of theirs; `logout` is no revocation but the logout token that told of one, which counts once. */
export const REVOCATION_ROW_KINDS = ['token', 'session', 'subject', 'key', 'user', 'logout'] as const;

/** What was ended before its time, for as long as it could still be used. */
export const revocations = usersSchema.table(
  'revocations',
  {
    kind: text({ enum: REVOCATION_ROW_KINDS }).notNull(),
    /** Empty for keys and users. */
    issuer: text().notNull(),
    value: text().notNull(),
    /** Of a subject: what was issued until then has ended. Unix seconds of the issuer's clock. */
    issuedUntil: bigint({ mode: 'number' }),
    /** When it was last told; routers ask for what is new. */
    at: instant()
      .notNull()
      .default(sql`clock_timestamp()`),
    /** After which it can be forgotten; null: never. */
    expiresAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.kind, t.issuer, t.value] }),
    index('revocations_at').on(t.at),
    index('revocations_expires_at').on(t.expiresAt),
  ],
);
