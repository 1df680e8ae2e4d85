import { createHash } from 'node:crypto';
import { createLineWriter } from '@timbre/platform/logger';
import type { LineWriterOptions } from '@timbre/platform/logger';
import type { Span } from '@timbre/platform/telemetry/tracing';
import type { OperationDefinitionNode } from 'graphql';
import { codeOf } from '../error-code.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { HttpRefusal } from './http/http-refusal.ts';
import type { OperationEnd } from './operation-end.ts';

export interface AccessLogOptions extends Pick<LineWriterOptions, 'stream'> {
  /** The share of lines that is written, from 0 to 1, of operations that went well; all others always are. Default 1. */
  sample?: number;
}

/**
 * One line for each operation, whatever brought it, and for each request that never became one. Nothing in it is a
 * client's data: no variables, no text of a document, no token, no message of an error.
 */
export interface AccessLog {
  operation: (end: OperationEnd, seconds: number) => void;
  /** An HTTP request that was refused before any operation was looked at. */
  refusal: (refusal: HttpRefusal, request: { requestId: string; client: ClientIdentity }) => void;
  /** Lines are written some at once: the last ones now. */
  flush: () => void;
}

const MAX_CODES = 5;
const MAX_NAME = 128;

export function createAccessLog({ sample = 1, stream }: AccessLogOptions): AccessLog {
  const { write, flush } = createLineWriter({ name: 'access', ...(stream !== undefined && { stream }) });
  const hashes = new WeakMap<OperationDefinitionNode, string | undefined>();

  /** SHA-256 of its text, which is its name as a persisted query too. */
  const documentOf = (operation: OperationDefinitionNode): string | undefined => {
    if (hashes.has(operation)) return hashes.get(operation);
    const text = operation.loc?.source.body;
    const hash = text === undefined ? undefined : createHash('sha256').update(text).digest('hex');
    hashes.set(operation, hash);
    return hash;
  };

  return {
    operation(end, seconds) {
      const { session, prepared, outcome, errors } = end;
      if (outcome === 'ok' && sample < 1 && Math.random() >= sample) return;
      const { requestId, transport, client, principal } = session;
      const operation = prepared?.operation;
      write({
        requestId,
        trace: traceOf(prepared?.span),
        transport,
        operation: operation?.operation,
        operationName: operation?.name?.value.slice(0, MAX_NAME),
        document: operation === undefined ? undefined : documentOf(operation),
        client: client.name ?? undefined,
        clientVersion: client.version ?? undefined,
        user: principal.userId ?? undefined,
        outcome,
        codes: errors === undefined ? undefined : codesOf(errors),
        status: end.status,
        bytes: end.bytes,
        events: end.events,
        estimatedCost: prepared?.estimatedCost ?? undefined,
        cost: end.cost,
        ms: Math.round(seconds * 100_000) / 100,
      });
    },
    refusal({ status, code }, { requestId, client }) {
      write({
        requestId,
        transport: 'http',
        client: client.name ?? undefined,
        clientVersion: client.version ?? undefined,
        outcome: 'refused',
        codes: [code],
        status,
      });
    },
    flush,
  };
}

/** Where it can be looked at: of what is not recorded nothing is found. */
function traceOf(span: Span | undefined): string | undefined {
  return span?.recorded === true ? span.headers.traceparent?.split('-')[1] : undefined;
}

function codesOf(errors: NonNullable<OperationEnd['errors']>): string[] {
  const codes = new Set<string>();
  for (const error of errors) {
    codes.add(codeOf(error));
    if (codes.size === MAX_CODES) break;
  }
  return [...codes];
}
