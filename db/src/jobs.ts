import { sql } from 'drizzle-orm';
import { fromDrizzle, PgBoss, type GroupConcurrencyConfig, type GroupOptions } from 'pg-boss';
import { currentSpan, withinSpan } from '@timbre/platform/telemetry/current-span';
import type { Tracing } from '@timbre/platform/telemetry/tracing';
import type { Tx } from './client.ts';
import { countGroupsExactly } from './jobs/exact-groups.ts';
import { JOBS_SCHEMA } from './jobs/install-queues.ts';
import { findWanted, type QueueDepth, readDepths } from './jobs/job-table.ts';
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
  /** Of every queue, now. */
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

/** How long a job waits of which nobody was notified: one that is due only now, or is tried again. */
const LOOK_MS = 1_000;
/** After which a poller looks by itself. All of them each second, below the lock of the groups, would be most of an idle system's work. */
const UNWOKEN_SECONDS = 30;

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
    // Each pass is some ten statements: what must not wait for it is found by the look below, which is one.
    superviseIntervalSeconds: 60,
    monitorIntervalSeconds: 1,
    // A listener that died unnoticed costs polls of a second, not lost jobs; find out soon all the same.
    notifyHeartbeatIntervalMs: 5000,
    monitorVacuum: false,
  });
  // Unhandled, an 'error' event would end the process; pg-boss goes on by itself once the database is back.
  boss.on('error', (error) => log.warn({ err: error }, 'job queue error'));
  boss.on('warning', ({ message, data }) => log.warn({ data }, message));
  if (worker) countGroupsExactly(boss);
  /** By queue: what wakes one of its idle pollers. */
  const wakers = new Map<string, () => void>();
  let looking: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    try {
      const wanted = await findWanted(boss.getDb(), [...wakers.keys()]);
      for (const { name: queue } of wanted) wakers.get(queue)?.();
      // Which looks at all queues, once a second over all processes.
      if (wanted.some(({ lost }) => lost)) await boss.supervise();
    } catch (error) {
      log.warn({ err: error }, 'job queue error');
    }
  }

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
      const idle = new Set<string>();
      const wakeOne = () => {
        const [poller] = idle;
        if (poller === undefined) return;
        // The last to be woken next.
        idle.delete(poller);
        idle.add(poller);
        boss.notifyWorker(poller);
      };
      for (let index = 0; index < concurrency; index++) {
        let poller = '';
        poller = await boss.work<unknown>(
          queue,
          {
            ...(groupConcurrency === undefined ? {} : { groupConcurrency }),
            pollingIntervalSeconds: UNWOKEN_SECONDS,
            heartbeatRefreshSeconds: 2,
          },
          async (batch) => {
            idle.delete(poller);
            // Where one job was found that nobody was notified of there may be more.
            wakeOne();
            // The end of a job frees a place in its group, of which nobody is notified: look again at once.
            boss.notifyWorker(poller);
            try {
              for (const { id, data, retryCount, signal } of batch) {
                const from = typeof data === 'object' && data !== null ? { ...data } : {};
                const span = tracing?.serve(`job ${queue}`, 'consumer', from, { 'timbre.job.id': id });
                await withinSpan(span, () =>
                  handler({ id, data: parsePayload(queue, data), attempt: retryCount, signal }),
                );
              }
            } finally {
              idle.add(poller);
            }
          },
        );
        idle.add(poller);
      }
      wakers.set(queue, wakeOne);
      looking ??= setInterval(() => void look(), LOOK_MS).unref();
    },
    depths: () => readDepths(boss.getDb()),
    stop({ graceMs = 20_000 } = {}) {
      clearInterval(looking);
      return boss.stop({ graceful: true, timeout: graceMs });
    },
  };
}
