import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import { Client } from 'pg';
import { installQueues } from './jobs/install-queues.ts';

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
/** "timbre" in a bigint; any constant does, as long as every process uses the same one. */
const ADVISORY_LOCK = 0x74696d627265;

/**
 * Brings tables and job queues up to date. Any number of processes may call it at once: they wait for each other on a
 * session advisory lock, which a crash releases, and those who come second find nothing to do.
 */
export async function migrate(url: string): Promise<void> {
  const client = new Client({ connectionString: url, application_name: 'timbre-migrate' });
  // Without a listener a connection lost between two statements would end the process; the next statement rejects.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [ADVISORY_LOCK]);
    await applyMigrations(drizzle({ client }), { migrationsFolder: MIGRATIONS });
    await installQueues(url);
  } finally {
    await client.end();
  }
}
