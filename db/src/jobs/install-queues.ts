import { PgBoss } from 'pg-boss';
import { QUEUE_NAMES, QUEUES } from '../queues.ts';

export const JOBS_SCHEMA = 'jobs';

/**
 * The least that pg-boss accepts. With the second until it is looked for, the retry's second and the workers' second, the job of
 * a killed worker runs again at most 13 s after its death.
 */
const HEARTBEAT_SECONDS = 10;

/** Creates or updates pg-boss's tables and our queues. Called by `migrate`, below its lock. */
export async function installQueues(url: string): Promise<void> {
  const boss = new PgBoss({
    connectionString: url,
    schema: JOBS_SCHEMA,
    application_name: 'timbre-migrate',
    max: 1,
    supervise: false,
    schedule: false,
    registerInstance: false,
  });
  boss.on('error', () => {}); // start() and the calls below reject with the same error
  await boss.start();
  try {
    for (const name of QUEUE_NAMES) {
      const { expireInSeconds, retryLimit } = QUEUES[name];
      const dead = `${name}.dead`;
      const common = { notify: true, heartbeatSeconds: HEARTBEAT_SECONDS, retryDelay: 1, deleteAfterSeconds: 86_400 };
      for (const [queue, options] of [
        [dead, { ...common, expireInSeconds: 900, retryLimit: 10 }],
        [name, { ...common, expireInSeconds, retryLimit, deadLetter: dead }],
      ] as const) {
        await boss.createQueue(queue, options);
        await boss.updateQueue(queue, options);
      }
    }
  } finally {
    await boss.stop({ graceful: false });
  }
}
