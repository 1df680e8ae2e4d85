import { createHmac } from 'node:crypto';
import { Client } from 'pg';

const BUS_ROLE = 'timbre_bus';

/**
 * Makes the role that may listen and notify, and nothing else: it owns nothing and no table is granted to it. For who
 * takes part in the bus without being trusted with the data, as the router.
 *
 * @param databaseUrl of who may make roles; the role's password is derived from the one in it
 * @returns the same database's URL for the role
 */
export async function makeBusRole(databaseUrl: string): Promise<string> {
  const url = new URL(databaseUrl);
  const password = createHmac('sha256', url.password).update('timbre-bus.v1').digest('hex');
  const client = new Client({ connectionString: databaseUrl, application_name: 'timbre-bus-role' });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(`
      do $$ begin
        create role ${BUS_ROLE};
      exception when duplicate_object or unique_violation then null;
      end $$;
      alter role ${BUS_ROLE} login nosuperuser nocreatedb nocreaterole nobypassrls connection limit 50 password '${password}';
      do $$ begin
        execute format('revoke temporary on database %I from public', current_database());
      end $$;`);
  } finally {
    await client.end();
  }
  url.username = BUS_ROLE;
  url.password = password;
  return url.href;
}
