import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { installQueues } from './jobs/install-queues.ts';

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
/** "timbre" in a bigint; any constant does, as long as every process uses the same one. */
const ADVISORY_LOCK = 0x74696d627265n;

/**
 * Brings tables and job queues up to date. Any number of processes may call it at once: they wait for each other on a
 * session advisory lock, which a crash releases, and those who come second find nothing to do.
 */
export async function migrate(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { application_name: 'timbre-migrate' } });
  try {
    await sql`select pg_advisory_lock(${ADVISORY_LOCK.toString()}::bigint)`;
    await applyMigrations(drizzle({ client: sql }), { migrationsFolder: MIGRATIONS });
    await installQueues(url);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
