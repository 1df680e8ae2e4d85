import type { GraphQLError } from 'graphql';
import type { Session } from '../engine.ts';
import type { PreparedOperation } from '../operations/prepare-operation.ts';

/** How an operation ended, whatever brought it. */
export interface OperationEnd {
  session: Session;
  /** Null where it was refused before. */
  prepared: PreparedOperation | null;
  /** By `performance.now()`. */
  started: number;
  outcome: 'ok' | 'errors' | 'refused';
  errors: readonly GraphQLError[] | undefined;
  /** Of HTTP; absent where its answer is part of another. */
  status?: number;
  /** Of the answer's body as it went out. */
  bytes?: number;
  /** Of a subscription. */
  events?: number;
  /** What it cost, where that is counted. */
  cost?: number | undefined;
}
