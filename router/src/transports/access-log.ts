import { hash } from 'node:crypto';
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

/**
 * The lines are put together by hand: that takes a third of what JSON.stringify does, and what is the same for all who
 * ask for an operation is made once.
 */
export function createAccessLog({ sample = 1, stream }: AccessLogOptions): AccessLog {
  const { write, flush } = createLineWriter({ name: 'access', ...(stream !== undefined && { stream }) });
  const described = new WeakMap<OperationDefinitionNode, string>();

  const describe = (operation: OperationDefinitionNode): string => {
    let description = described.get(operation);
    if (description === undefined) {
      const { name, loc } = operation;
      // Its name as a persisted query, too.
      const document = loc === undefined ? undefined : hash('sha256', loc.source.body);
      description =
        text('operation', operation.operation) +
        text('operationName', name?.value.slice(0, MAX_NAME)) +
        text('document', document);
      described.set(operation, description);
    }
    return description;
  };

  return {
    operation(end, seconds) {
      const { session, prepared, outcome, errors } = end;
      if (outcome === 'ok' && sample < 1 && Math.random() >= sample) return;
      // A request id is of a form that is the same in JSON.
      const { requestId, transport, client, principal } = session;
      write(
        `"requestId":"${requestId}"${text('trace', traceOf(prepared?.span))},"transport":"${transport}"` +
          (prepared === null ? '' : describe(prepared.operation)) +
          text('client', client.name) +
          text('clientVersion', client.version) +
          text('user', principal.userId) +
          `,"outcome":"${outcome}"` +
          (errors === undefined ? '' : `,"codes":${JSON.stringify(codesOf(errors))}`) +
          number('status', end.status) +
          number('bytes', end.bytes) +
          number('events', end.events) +
          number('estimatedCost', prepared?.estimatedCost) +
          number('cost', end.cost) +
          number('ms', Math.round(seconds * 100_000) / 100),
      );
    },
    refusal({ status, code }, { requestId, client }) {
      write(
        `"requestId":"${requestId}","transport":"http"` +
          text('client', client.name) +
          text('clientVersion', client.version) +
          `,"outcome":"refused","codes":["${code}"],"status":${status}`,
      );
    },
    flush,
  };
}

function text(name: string, value: string | null | undefined): string {
  if (value === null || value === undefined) return '';
  return PLAIN.test(value) ? `,"${name}":"${value}"` : `,"${name}":${JSON.stringify(value)}`;
}

/** What is the same in JSON. */
const PLAIN = /^[\w .:/@+-]*$/;

function number(name: string, value: number | null | undefined): string {
  return Number.isFinite(value) ? `,"${name}":${value}` : '';
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
