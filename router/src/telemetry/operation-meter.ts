import type { ErrorCode } from '@timbre/platform/errors';
import { createCountedHistogram } from '@timbre/platform/counted-histogram';
import type { CountedHistogram, Series } from '@timbre/platform/counted-histogram';
import type { GraphQLError } from 'graphql';
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import { codeOf } from '../error-code.ts';
import type { OperationEnd } from '../transports/operation-end.ts';
import type { FieldUsage } from './field-usage.ts';
import { createBoundedNames, OTHER } from './bounded-names.ts';
import type { BoundedNames } from './bounded-names.ts';

/** Counts what became of operations. */
export interface OperationMeter {
  /** @returns how long it took, in seconds */
  ended(end: OperationEnd): number;
  /** A request has been refused before it was looked at. */
  refused(code: ErrorCode): void;
  /** A subscription has ended that began well. */
  left(end: OperationEnd): void;
  /** Errors of an answer, or of an event of a subscription. */
  errors(errors: readonly GraphQLError[]): void;
  /** Names of operations that are told apart whatever clients invent. */
  know(names: Iterable<string>): void;
}

/** Clients choose the names: however many they invent, so many are told apart, beside those of trusted documents. */
const MAX_OPERATIONS = 200;
const MAX_CLIENTS = 50;
const MAX_PAIRS = 500;

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Of each of very many series. */
const FEW_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export function createOperationMeter(registry: Registry, usage: FieldUsage): OperationMeter {
  const registers = [registry];
  const duration = createCountedHistogram({
    name: 'timbre_router_operation_duration_seconds',
    help: 'Time from a parsed request to its response.',
    labelNames: ['transport', 'operation', 'outcome'],
    buckets: BUCKETS,
    registry,
  });
  const named = createCountedHistogram({
    name: 'timbre_router_named_operation_duration_seconds',
    help: 'Time from a parsed request to its response, of operations that were executed.',
    labelNames: ['operation_name', 'client'],
    buckets: FEW_BUCKETS,
    registry,
  });
  const refusals = new Counter({
    name: 'timbre_router_refusals_total',
    help: 'Operations that were not executed, by code.',
    labelNames: ['code'] as const,
    registers,
  });
  const errors = new Counter({
    name: 'timbre_router_errors_total',
    help: 'Errors in answers to operations that were executed, and in events, by code: UNAUTHORIZED_FIELD_OR_TYPE are fields withheld.',
    labelNames: ['code'] as const,
    registers,
  });
  const operations = createBoundedNames(MAX_OPERATIONS);
  const namedFor = createNamed(named, operations);

  const countErrors = (all: readonly GraphQLError[]) => {
    const counts = new Map<ErrorCode, number>();
    for (const error of all) {
      const code = codeOf(error);
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    for (const [code, count] of counts) errors.inc({ code }, count);
  };

  return {
    ended({ session, prepared, started, outcome, errors: told }) {
      const seconds = (performance.now() - started) / 1000;
      const isRefused = outcome === 'refused' || prepared === null;
      const operation = isRefused ? 'unknown' : prepared.operation.operation;
      duration.with(session.transport, operation, outcome).observe(seconds);
      if (isRefused) {
        refusals.inc({ code: codeOf(told?.[0]) });
      } else {
        usage.count(prepared, session.client);
        namedFor(prepared.operation.name?.value, session.client.name).observe(seconds);
        if (told !== undefined) countErrors(told);
      }
      return seconds;
    },
    refused: (code) => refusals.inc({ code }),
    left: () => undefined,
    errors: countErrors,
    know: (names) => operations.keep(names),
  };
}

/** The series of an operation's name and a client's, found without a look at labels. */
function createNamed(histogram: CountedHistogram<readonly ['operation_name', 'client']>, operations: BoundedNames) {
  const clients = createBoundedNames(MAX_CLIENTS);
  const series = new Map<string, Map<string, Series>>();
  let pairs = 0;

  function observerOf(operation_name: string, client: string): Series {
    let ofOperation = series.get(operation_name);
    const known = ofOperation?.get(client);
    if (known !== undefined) return known;
    // An operation has a series for others whatever clients invent.
    if (client !== OTHER && pairs >= MAX_PAIRS) return observerOf(operation_name, OTHER);
    if (client !== OTHER) pairs += 1;
    if (ofOperation === undefined) {
      ofOperation = new Map();
      series.set(operation_name, ofOperation);
    }
    const observer = histogram.with(operation_name, client);
    ofOperation.set(client, observer);
    return observer;
  }

  return (name: string | undefined, client: string | null): Series =>
    observerOf(operations.labelOf(name), clients.labelOf(client));
}
