import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Entries } from './entries.ts';

/** Counts the lookups of one subgraph: of root fetches, and of single entities. */
export interface LookupMetrics {
  /** A whole call was saved, or some entities of one. */
  found(count: number, isStale: boolean, isWhole: boolean): void;
  missed(count: number): void;
  /** The cache could not be asked. */
  bypassed(count: number): void;
  /** Was found where processes share. */
  shared(): void;
}

export interface CacheMetrics {
  of: (subgraph: string) => LookupMetrics;
  evicted: (count: number) => void;
  /** To be called once: what the gauges show. */
  watch(entries: Entries): void;
}

export function createCacheMetrics(registry: Registry): CacheMetrics {
  const registers = [registry];
  const lookups = new Counter({
    name: 'timbre_router_response_cache_lookups_total',
    help: 'Root fetches and entities looked for in the response cache.',
    labelNames: ['subgraph', 'outcome'] as const,
    registers,
  });
  const saved = new Counter({
    name: 'timbre_router_response_cache_saved_calls_total',
    help: 'Calls to subgraphs that the response cache has saved.',
    labelNames: ['subgraph'] as const,
    registers,
  });
  const shared = new Counter({
    name: 'timbre_router_response_cache_shared_hits_total',
    help: 'What was found in the store that routers share, and not in this process.',
    labelNames: ['subgraph'] as const,
    registers,
  });
  const evictions = new Counter({
    name: 'timbre_router_response_cache_evictions_total',
    help: 'Entries that were given up for want of space.',
    registers,
  });
  const bound = new Map<string, LookupMetrics>();

  function bind(subgraph: string): LookupMetrics {
    const child = (outcome: string) => lookups.labels({ subgraph, outcome });
    const [hit, stale, miss, bypass] = [child('hit'), child('stale'), child('miss'), child('bypass')];
    const whole = saved.labels({ subgraph });
    const elsewhere = shared.labels({ subgraph });
    return {
      found(count, isStale, isWhole) {
        (isStale ? stale : hit).inc(count);
        if (isWhole) whole.inc();
      },
      missed: (count) => miss.inc(count),
      bypassed: (count) => bypass.inc(count),
      shared: () => elsewhere.inc(),
    };
  }

  return {
    of(subgraph) {
      let metrics = bound.get(subgraph);
      if (metrics === undefined) {
        metrics = bind(subgraph);
        bound.set(subgraph, metrics);
      }
      return metrics;
    },
    evicted: (count) => evictions.inc(count),
    watch(entries) {
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(read());
          },
        });
      gauge(
        'timbre_router_response_cache_bytes',
        'About what the response cache takes in this process.',
        () => entries.bytes,
      );
      gauge(
        'timbre_router_response_cache_entries',
        'Entries of the response cache in this process.',
        () => entries.count,
      );
    },
  };
}
