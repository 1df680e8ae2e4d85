import type { PgBoss } from 'pg-boss';

/** "groups" in a bigint. */
const ADVISORY_LOCK = 0x67726f757073;

/**
 * Makes `groupConcurrency` exact. By itself pg-boss counts a group's active jobs and claims the next one in a single
 * statement, so that pollers that look at the same moment, as one notification makes them, each see a free place and
 * all take it. Here such statements wait for each other, over all processes, and each sees what the last one claimed.
 *
 * The statements are known by the name of their counting part, for which pg-boss has no other sign; should it change,
 * the limit is as inexact as pg-boss's own, and the test of it fails.
 */
export function countGroupsExactly(boss: PgBoss): void {
  const database = boss.getDb();
  const executeSql = database.executeSql.bind(database);
  const beginTransaction = database.beginTransaction?.bind(database);
  if (beginTransaction === undefined) throw new Error('pg-boss has no transactions of its own here');
  let turn: Promise<unknown> = Promise.resolve();

  const claim = async (text: string, values?: unknown[]) => {
    const transaction = await beginTransaction();
    try {
      await transaction.db.executeSql('select pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
      const claimed = await transaction.db.executeSql(text, values);
      await transaction.commit();
      return claimed;
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
  };
  Object.assign(database, {
    executeSql: (text: string, values?: unknown[], ...rest: []) => {
      if (!text.includes('active_group_')) return executeSql(text, values, ...rest);
      // One at a time in this process, so that those who wait do not take the pool's connections from heartbeats.
      const claimed = turn.then(() => claim(text, values));
      turn = claimed.catch(() => {});
      return claimed;
    },
  });
}
