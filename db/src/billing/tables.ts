import { sql } from 'drizzle-orm';
import { bigint, check, index, integer, text, timestamp } from 'drizzle-orm/pg-core';
import { billingSchema } from './schema.ts';

export { billingSchema };

export const HOLD_STATES = ['HELD', 'COMMITTED', 'RELEASED', 'EXPIRED'] as const;
export const ENTRY_KINDS = ['HOLD', 'COMMIT', 'RELEASE', 'EXPIRE', 'GRANT', 'ROLLOVER'] as const;

const instant = () => timestamp({ withTimezone: true, precision: 3 });

/**
 * One balance per user, in credits of the period [periodStart, periodEnd). available = creditLimit - used - held,
 * and the CHECK is what makes overspending impossible whatever the code above it does.
 */
export const accounts = billingSchema.table(
  'accounts',
  {
    userId: text().primaryKey(),
    planId: text().notNull(),
    periodStart: instant().notNull(),
    periodEnd: instant().notNull(),
    creditLimit: integer().notNull(),
    /** Credits granted on top of the plan, in this period only. */
    bonus: integer().notNull().default(0),
    used: integer().notNull().default(0),
    held: integer().notNull().default(0),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
  },
  (t) => [
    check('accounts_used', sql`${t.used} >= 0`),
    check('accounts_held', sql`${t.held} >= 0`),
    check('accounts_bonus', sql`${t.bonus} >= 0`),
    check('accounts_available', sql`${t.creditLimit} - ${t.used} - ${t.held} >= 0`),
    check('accounts_period', sql`${t.periodStart} < ${t.periodEnd}`),
  ],
);

/** What a generation has reserved. Open while HELD: reserved - committed - released is part of the account's `held`. */
export const holds = billingSchema.table(
  'holds',
  {
    generationId: text().primaryKey(),
    userId: text()
      .notNull()
      .references(() => accounts.userId),
    /** The API key that it was asked for with, the last one where it was opened again; null: a person. */
    apiKeyId: text(),
    state: text({ enum: HOLD_STATES }).notNull().default('HELD'),
    reserved: integer().notNull(),
    committed: integer().notNull().default(0),
    released: integer().notNull().default(0),
    ttlSeconds: integer().notNull(),
    expiresAt: instant().notNull(),
    createdAt: instant().notNull().defaultNow(),
    settledAt: instant(),
  },
  (t) => [
    index('holds_user').on(t.userId, t.generationId),
    index('holds_api_key')
      .on(t.apiKeyId, t.settledAt)
      .where(sql`api_key_id is not null`),
    index('holds_expiring')
      .on(t.expiresAt)
      .where(sql`state = 'HELD'`),
    check('holds_state', sql`${t.state} in ('HELD', 'COMMITTED', 'RELEASED', 'EXPIRED')`),
    check(
      'holds_amounts',
      sql`${t.ttlSeconds} > 0 and ${t.reserved} > 0 and ${t.committed} >= 0 and ${t.released} >= 0`,
    ),
    check('holds_within_reserved', sql`${t.committed} + ${t.released} <= ${t.reserved}`),
    check('holds_settled', sql`${t.state} = 'HELD' or ${t.committed} + ${t.released} = ${t.reserved}`),
  ],
);

/** Append-only: the migration's trigger refuses updates and deletes. COMMIT entries of the account's period sum to its `used`. */
export const entries = billingSchema.table(
  'entries',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    userId: text()
      .notNull()
      .references(() => accounts.userId),
    generationId: text(),
    kind: text({ enum: ENTRY_KINDS }).notNull(),
    credits: integer().notNull(),
    /** The account's period when the entry was made. */
    periodStart: instant().notNull(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    index('entries_user_period').on(t.userId, t.periodStart),
    index('entries_generation').on(t.generationId),
    check('entries_kind', sql`${t.kind} in ('HOLD', 'COMMIT', 'RELEASE', 'EXPIRE', 'GRANT', 'ROLLOVER')`),
    check('entries_credits', sql`${t.credits} >= 0`),
  ],
);

/**
 * What must hold at every snapshot, one row per account: used = committed, held = openHolds, available >= 0.
 * One SELECT sees one snapshot, so reading this view at any isolation level checks it exactly.
 */
export const balances = billingSchema.view('balances', {
  userId: text(),
  creditLimit: integer(),
  used: integer(),
  committed: integer(),
  held: integer(),
  openHolds: integer(),
  available: integer(),
}).as(sql`
    select a.user_id, a.credit_limit, a.used,
      (select coalesce(sum(e.credits), 0)::int from billing.entries e
        where e.user_id = a.user_id and e.period_start = a.period_start and e.kind = 'COMMIT') as committed,
      a.held,
      (select coalesce(sum(h.reserved - h.committed - h.released), 0)::int from billing.holds h
        where h.user_id = a.user_id and h.state = 'HELD') as open_holds,
      a.credit_limit - a.used - a.held as available
    from billing.accounts a`);
