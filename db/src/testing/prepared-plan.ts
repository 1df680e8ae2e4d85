import type { Pool } from 'pg';
import { z } from 'zod';

const statements = z.array(z.object({ statement: z.string() }));

/**
 * How PostgreSQL goes about a statement that is prepared on the pool's only connection, whatever its values: as it is
 * planned once and for all.
 */
export async function preparedPlan(pool: Pool, name: string): Promise<string> {
  const found = await pool.query('select statement from pg_prepared_statements where name = $1', [name]);
  const [prepared] = statements.parse(found.rows);
  if (prepared === undefined) throw new Error(`${name} is not prepared`);
  const plan = await pool.query<[string]>({ text: `explain (generic_plan) ${prepared.statement}`, rowMode: 'array' });
  return plan.rows.map(([line]) => line).join('\n');
}
