import { sql } from 'drizzle-orm';
import { fromDrizzle, PgBoss, type GroupConcurrencyConfig, type GroupOptions } from 'pg-boss';
import { currentSpan, withinSpan } from '@timbre/platform/telemetry/current-span';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import type { Tx } from './client.ts';
import { countGroupsExactly } from './jobs/exact-groups.ts';
import { JOBS_SCHEMA } from './jobs/install-queues.ts';
import type { Log } from './log.ts';
import { type DeadQueueName, type JobData, type QueueName, type QueuePayload, QUEUE_NAMES, QUEUES } from './queues.ts';

export interface Job<T> {
  id: string;
  data: T;
  /** 0 at the first try. */
  attempt: number;
  /**
   * Aborted when the job is no longer this worker's: it expired, was canceled, was given to another worker after a
   * lost heartbeat, or `stop` ran out of patience. What the handler does afterwards must not matter.
   */
  signal: AbortSignal;
}

export interface EnqueueOptions {
  /** For `groupConcurrency`: usually the tenant, and its plan as the tier. */
  group?: GroupOptions;
  /** Higher first; 0 unless told. */
  priority?: number;
  startAfterSeconds?: number;
  singletonKey?: string;
}

export interface WorkOptions {
  /** Jobs that run at once in this process; 1 unless told. */
  concurrency?: number;
  /** Jobs of one group that run at once over all processes. */
  groupConcurrency?: number | GroupConcurrencyConfig;
}

export interface QueueDepth {
  queue: string;
  /** Jobs that could be done now. */
  ready: number;
  active: number;
}

export interface Jobs {
  /** Only needed for `enqueue` and `work` alike; the tables must exist (`migrate`). */
  start(): Promise<void>;
  /** Inserts a job in the caller's transaction, so that it exists if and only if what it is about does. Returns its id. */
  enqueue<N extends QueueName>(
    tx: Tx,
    queue: N,
    data: QueuePayload<N>,
    options?: EnqueueOptions,
  ): Promise<string | null>;
  /**
   * Runs `handler` for each job. Delivery is at least once: after a throw, and within about 13 s of the death of its
   * worker, a job is run again, so handlers must be idempotent. A job that failed too often moves to `<queue>.dead`.
   */
  work<N extends QueueName | DeadQueueName>(
    queue: N,
    options: WorkOptions,
    handler: (job: Job<JobData<N>>) => Promise<void>,
  ): Promise<void>;
  /** Of every queue, as counted within the last second. */
  depths(): Promise<QueueDepth[]>;
  /**
   * Takes no new jobs and waits `graceMs` (default 20,000) for those that run; then aborts their signals and gives
   * them back to the queue.
   */
  stop(options?: { graceMs?: number }): Promise<void>;
}

export interface JobsOptions {
  url: string;
  log: Log;
  /** Name in pg_stat_activity. */
  name?: string;
  /** Connections in pg-boss's own pool; 4 unless told. A worker adds one that listens. */
  max?: number;
  /** False where jobs are only enqueued: no listening, no supervision. */
  worker?: boolean;
  /** Null: off. A job belongs to the trace of what it was enqueued for. */
  tracing?: Tracing | null;
}

function parsePayload<N extends QueueName | DeadQueueName>(queue: N, data: unknown): JobData<N> {
  const definition = QUEUE_NAMES.find((name) => name === queue || `${name}.dead` === queue);
  if (definition === undefined) throw new RangeError(`there is no queue ${queue}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the schema of this very queue has just checked it
  return QUEUES[definition].payload.parse(data) as JobData<N>;
}

export function createJobs({
  url,
  log,
  name = 'timbre-jobs',
  max = 4,
  worker = true,
  tracing = null,
}: JobsOptions): Jobs {
  const boss = new PgBoss({
    connectionString: url,
    schema: JOBS_SCHEMA,
    application_name: name,
    max,
    migrate: false,
    createSchema: false,
    schedule: false,
    registerInstance: false,
    useListenNotify: worker,
    supervise: worker,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
    // A listener that died unnoticed costs polls of a second, not lost jobs; find out soon all the same.
    notifyHeartbeatIntervalMs: 5000,
    monitorVacuum: false,
  });
  // Unhandled, an 'error' event would end the process; pg-boss goes on by itself once the database is back.
  boss.on('error', (error) => log.warn({ err: error }, 'job queue error'));
  boss.on('warning', ({ message, data }) => log.warn({ data }, message));
  if (worker) countGroupsExactly(boss);
  return {
    start: async () => void (await boss.start({ attempts: 5 })),
    async enqueue(tx, queue, data, { startAfterSeconds, ...options } = {}) {
      // Beside the payload, which is checked again where it is read.
      const trace = currentSpan.getStore()?.headers;
      return boss.send(
        queue,
        { ...parsePayload(queue, data), ...trace },
        {
          ...options,
          ...(startAfterSeconds === undefined ? {} : { startAfter: startAfterSeconds }),
          db: fromDrizzle(tx, sql),
        },
      );
    },
    async work(queue, { concurrency = 1, groupConcurrency }, handler) {
      for (let index = 0; index < concurrency; index++) {
        let poller = '';
        poller = await boss.work<unknown>(
          queue,
          {
            ...(groupConcurrency === undefined ? {} : { groupConcurrency }),
            pollingIntervalSeconds: 1,
            notifyPollingIntervalSeconds: 1,
            heartbeatRefreshSeconds: 2,
          },
          async (batch) => {
            // The end of a job frees a place in its group, of which nobody is notified: look again at once.
            boss.notifyWorker(poller);
            for (const { id, data, retryCount, signal } of batch) {
              const from = typeof data === 'object' && data !== null ? { ...data } : {};
              const span = tracing?.serve(`job ${queue}`, 'consumer', from, { 'timbre.job.id': id });
              await withinSpan(span, () =>
                handler({ id, data: parsePayload(queue, data), attempt: retryCount, signal }),
              );
            }
          },
        );
      }
    },
    depths: async () =>
      (await boss.getQueues()).map(({ name: queue, readyCount: ready, activeCount: active }) => ({
        queue,
        ready,
        active,
      })),
    stop: ({ graceMs = 20_000 } = {}) => boss.stop({ graceful: true, timeout: graceMs }),
  };
}
