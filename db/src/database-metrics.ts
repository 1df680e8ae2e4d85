import type { Pool } from 'pg';
import { Gauge, type Registry } from 'prom-client';
import type { Jobs } from './jobs.ts';

/** Who waits for a connection waits before his query begins: no duration of a query tells it. */
export function watchPool(registry: Registry, pool: Pool): void {
  const connections = new Gauge({
    name: 'timbre_db_pool_connections',
    help: 'Connections to PostgreSQL of the process’s own pool, by what they do.',
    labelNames: ['state'] as const,
    registers: [],
    collect() {
      this.set({ state: 'busy' }, pool.totalCount - pool.idleCount);
      this.set({ state: 'idle' }, pool.idleCount);
    },
  });
  const waiting = new Gauge({
    name: 'timbre_db_pool_waiting',
    help: 'Queries and transactions that wait for a connection.',
    registers: [],
    collect() {
      this.set(pool.waitingCount);
    },
  });
  registry.registerMetric(connections);
  registry.registerMetric(waiting);
}

/** Over all workers: what waits in a queue, and in its dead-letter queue. */
export function watchQueues(registry: Registry, jobs: Jobs): void {
  const gauge = new Gauge({
    name: 'timbre_jobs',
    help: 'Jobs that are ready to be done and that are done now, over all workers.',
    labelNames: ['queue', 'state'] as const,
    registers: [],
    async collect() {
      this.reset();
      // Without the database the other metrics are told all the same, and these are absent.
      const depths = await jobs.depths().catch(() => []);
      for (const { queue, ready, active } of depths) {
        this.set({ queue, state: 'ready' }, ready);
        this.set({ queue, state: 'active' }, active);
      }
    },
  });
  registry.registerMetric(gauge);
}
