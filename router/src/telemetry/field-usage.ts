import type { GraphQLSchema } from 'graphql';
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import type { PreparedOperation } from '../operations/prepare-operation.ts';
import type { ClientIdentity } from '../transports/client-identity.ts';
import { createClientSlots } from './client-slots.ts';
import { deprecationsOf } from './deprecations.ts';

/** Who uses what of the schema. */
export interface FieldUsage {
  /** Names what is deprecated of the schema that operations are prepared by from now on. */
  learn(schema: GraphQLSchema): void;
  /** An operation that is executed, or a subscription that is opened. */
  count(prepared: PreparedOperation, client: ClientIdentity): void;
  report(filter?: UsageFilter): UsageReport;
}

export interface UsageFilter {
  /** Only what is deprecated: what nobody uses, too. */
  deprecated?: boolean;
  /** Of one type (`Person`), field (`Person.name`) or argument (`Person.name(upper:)`). */
  coordinate?: string | undefined;
}

/** As JSON. Counted by this process, in operations. */
export interface UsageReport {
  since: string;
  coordinates: {
    coordinate: string;
    /** The reason; null where it is not deprecated. */
    deprecated: string | null;
    count: number;
    clients: { name: string; version: string; count: number }[];
  }[];
}

/** A part of the schema, and how often each client has used it. */
interface Total {
  coordinate: string;
  deprecated: string | null;
  bySlot: number[];
}

/** An operation whose parts are counted once for all of its requests: a request costs one count. */
interface Tally {
  totals: readonly Total[];
  inVariables: ((variables: Readonly<Record<string, unknown>>) => ReadonlySet<string>) | null;
  bySlot: number[];
  isOpen: boolean;
}

/** Operations that have been counted and not added to their parts: clients can send ever new ones. */
const MAX_OPEN = 1_000;

export function createFieldUsage(registry: Registry): FieldUsage {
  const since = new Date().toISOString();
  const clients = createClientSlots();
  const totals = new Map<string, Total>();
  const tallies = new WeakMap<PreparedOperation['executable'], Tally>();
  let open: Tally[] = [];

  const deprecatedUsage = new Counter({
    name: 'timbre_router_deprecated_usage_total',
    help: 'Operations that use what is deprecated, by its schema coordinate and by client.',
    labelNames: ['coordinate', 'client'] as const,
    registers: [],
    collect() {
      close();
      this.reset();
      for (const { coordinate, deprecated, bySlot } of totals.values()) {
        if (deprecated === null) continue;
        for (const [slot, count] of bySlot.entries()) {
          if (count > 0) this.inc({ coordinate, client: clients.at(slot).name }, count);
        }
      }
    },
  });
  registry.registerMetric(deprecatedUsage);

  function totalOf(coordinate: string): Total {
    let total = totals.get(coordinate);
    if (total === undefined) {
      total = { coordinate, deprecated: null, bySlot: [] };
      totals.set(coordinate, total);
    }
    return total;
  }

  function tallyOf({ executable }: PreparedOperation): Tally {
    let tally = tallies.get(executable);
    if (tally === undefined) {
      const { coordinates, inVariables } = executable.usage();
      tally = { totals: coordinates.map(totalOf), inVariables, bySlot: [], isOpen: false };
      tallies.set(executable, tally);
    }
    return tally;
  }

  /** Adds what has been counted to the parts of the schema. */
  function close(): void {
    for (const tally of open) {
      for (const [slot, count] of tally.bySlot.entries()) {
        if (count > 0) for (const { bySlot } of tally.totals) add(bySlot, slot, count);
      }
      tally.bySlot = [];
      tally.isOpen = false;
    }
    open = [];
  }

  return {
    learn(schema) {
      const deprecations = deprecationsOf(schema);
      for (const total of totals.values()) total.deprecated = deprecations.get(total.coordinate) ?? null;
      for (const [coordinate, reason] of deprecations) totalOf(coordinate).deprecated = reason;
    },
    count(prepared, client) {
      const tally = tallyOf(prepared);
      const slot = clients.slotOf(client);
      add(tally.bySlot, slot, 1);
      if (tally.inVariables !== null) {
        for (const coordinate of tally.inVariables(prepared.variables)) add(totalOf(coordinate).bySlot, slot, 1);
      }
      if (tally.isOpen) return;
      tally.isOpen = true;
      if (open.push(tally) >= MAX_OPEN) close();
    },
    report({ deprecated = false, coordinate } = {}) {
      close();
      const wanted = [...totals.values()]
        .filter((total) => (deprecated ? total.deprecated !== null : total.bySlot.length > 0))
        .filter((total) => coordinate === undefined || isPartOf(total.coordinate, coordinate));
      const coordinates = wanted.map((total) => {
        const used = [...total.bySlot.entries()].filter(([, count]) => count > 0);
        return {
          coordinate: total.coordinate,
          deprecated: total.deprecated,
          count: used.reduce((sum, [, count]) => sum + count, 0),
          clients: used.map(([slot, count]) => ({ ...clients.at(slot), count })).toSorted((a, b) => b.count - a.count),
        };
      });
      return { since, coordinates: coordinates.toSorted((a, b) => (a.coordinate < b.coordinate ? -1 : 1)) };
    },
  };
}

/** Without holes, so that it stays an array of numbers. */
function add(bySlot: number[], slot: number, count: number): void {
  while (bySlot.length <= slot) bySlot.push(0);
  bySlot[slot] = (bySlot[slot] ?? 0) + count;
}

function isPartOf(coordinate: string, whole: string): boolean {
  if (!coordinate.startsWith(whole)) return false;
  const next = coordinate[whole.length];
  return next === undefined || next === '.' || next === '(';
}
