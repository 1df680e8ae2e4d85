import { currentSpan } from '@timbre/platform/telemetry/current-span';
import type { Pool, PoolClient } from 'pg';

const FIRST_WORD = /^[\s(]*([a-z]{1,16})/i;

/**
 * The same client, whose queries are spans of what they are made for: of a request, of an event, of a job. They tell
 * the statement, never its parameters, and of a failure its SQLSTATE, as messages can hold values.
 */
export function traceQueries<Client extends Pool | PoolClient>(client: Client): Client {
  const query = (...args: unknown[]): unknown => {
    const run = () => Reflect.apply(client.query, client, args);
    const parent = currentSpan.getStore();
    if (parent === undefined) return run();
    const text = textOf(args[0]);
    const operation = FIRST_WORD.exec(text)?.[1]?.toUpperCase() ?? 'QUERY';
    const span = parent.child(operation, 'client', {
      'db.system.name': 'postgresql',
      'db.operation.name': operation,
      'db.query.text': text,
    });
    const failed = (error: unknown) => {
      const code = sqlState(error);
      span.set({ 'db.response.status_code': code });
      span.fail(code);
      span.end();
    };
    const pending: unknown = run();
    if (pending instanceof Promise) pending.then(() => span.end(), failed);
    else span.end();
    return pending;
  };
  return new Proxy(client, {
    get: (target, name): unknown => (name === 'query' ? query : Reflect.get(target, name)),
  });
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  return typeof query === 'object' && query !== null && 'text' in query ? String(query.text) : '';
}

function sqlState(error: unknown): string {
  const known = typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string';
  return known ? String(error.code) : 'unknown';
}
