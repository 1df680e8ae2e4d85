import type { PgBoss } from 'pg-boss';
import { z } from 'zod';
import { QUEUE_NAMES } from '../queues.ts';
import { JOBS_SCHEMA } from './install-queues.ts';

type Database = Pick<ReturnType<PgBoss['getDb']>, 'executeSql'>;

export interface QueueDepth {
  queue: string;
  /** Jobs that could be done now. */
  ready: number;
  active: number;
}

const READY = `state < 'active' and not blocked and start_after <= now()`;
const LOST = `state = 'active' and (started_on + expire_seconds * interval '1s' < now()
  or heartbeat_on + heartbeat_seconds * interval '1s' < now())`;
const WANTED = `
  select distinct name, false as lost from ${JOBS_SCHEMA}.job where name = any($1::text[]) and ${READY}
  union all
  select distinct name, true as lost from ${JOBS_SCHEMA}.job where name = any($1::text[]) and ${LOST}`;
const DEPTHS = `
  select name, count(*) filter (where ${READY})::int as ready, count(*) filter (where state = 'active')::int as active
  from ${JOBS_SCHEMA}.job where name = any($1::text[]) and state in ('created', 'retry', 'active', 'failed')
  group by name`;
const wantedSchema = z.array(z.object({ name: z.string(), lost: z.boolean() }));
const depthsSchema = z.array(z.object({ name: z.string(), ready: z.number(), active: z.number() }));

/** Those of the queues that have something to do, and whether that is a job which its worker has lost or is too slow with. */
export async function findWanted(database: Database, queues: readonly string[]) {
  const { rows } = await database.executeSql(WANTED, [queues]);
  return wantedSchema.parse(rows);
}

/** Of all queues. */
export async function readDepths(database: Database): Promise<QueueDepth[]> {
  const names = QUEUE_NAMES.flatMap((name) => [name, `${name}.dead`]);
  const { rows } = await database.executeSql(DEPTHS, [names]);
  const found = new Map(depthsSchema.parse(rows).map((row) => [row.name, row]));
  return names.map((queue) => ({ queue, ready: found.get(queue)?.ready ?? 0, active: found.get(queue)?.active ?? 0 }));
}
