import { isRecord } from '../../demand/list-size.ts';
import type { OperationRequest } from '../../operations/prepare-operation.ts';

/** It is kept as long as its operation runs. */
const MAX_ID_LENGTH = 256;
const ID_NEEDED = `An operation needs an id of 1 to ${MAX_ID_LENGTH} characters`;

/** What a client may send (github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, "Message types"). */
export type ClientMessage =
  | { type: 'connection_init' | 'ping' | 'pong'; payload: Readonly<Record<string, unknown>> | null }
  | { type: 'subscribe'; id: string; payload: OperationRequest }
  | { type: 'complete'; id: string };

/** @returns what is wrong with it where it is no message of the protocol */
export function parseClientMessage(text: string): ClientMessage | string {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return 'The message is not JSON';
  }
  if (!isRecord(message)) return 'The message is not an object';
  const { type, id, payload } = message;
  switch (type) {
    case 'connection_init':
    case 'ping':
    case 'pong':
      return isRecordOrNothing(payload)
        ? { type, payload: payload ?? null }
        : `The payload of ${type} is not an object`;
    case 'complete':
      return isId(id) ? { type, id } : ID_NEEDED;
    case 'subscribe':
      if (!isId(id)) return ID_NEEDED;
      return isRecord(payload) ? parseSubscribe(id, payload) : 'The payload of subscribe is not an object';
    default:
      return 'The type of the message is not known';
  }
}

function parseSubscribe(id: string, payload: Readonly<Record<string, unknown>>): ClientMessage | string {
  const { query, operationName, variables, extensions } = payload;
  if (!isRecordOrNothing(variables)) return 'The variables of subscribe are not an object';
  if (!isRecordOrNothing(extensions)) return 'The extensions of subscribe are not an object';
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') {
    return 'The operationName of subscribe is not a string';
  }
  if (typeof query === 'string') {
    return { type: 'subscribe', id, payload: { query, operationName, variables, extensions } };
  }
  if ((query ?? null) !== null || extensions?.['persistedQuery'] === undefined) {
    return 'The query of subscribe is not a string';
  }
  return { type: 'subscribe', id, payload: { operationName, variables, extensions } };
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && id.length <= MAX_ID_LENGTH;
}

function isRecordOrNothing(value: unknown): value is Readonly<Record<string, unknown>> | null | undefined {
  return value === undefined || value === null || isRecord(value);
}
