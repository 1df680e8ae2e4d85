import type { PoolClient } from 'pg';
import { asTexts, NamedQuery, type Callback, type Descriptions, type NamedStatement } from './named-query.ts';

/** Has what a connection is asked under a name, for rows that are arrays, asked by {@link NamedQuery}. */
export function describeOnce(client: PoolClient): void {
  const descriptions: Descriptions = new Map();
  const ask = client.query.bind(client);
  const query = (...args: unknown[]): unknown => {
    const [statement, values, callback] = args;
    const texts = isNamed(statement) && Array.isArray(values) ? asTexts(values) : null;
    if (texts === null || !isNamed(statement)) return Reflect.apply(ask, client, args);
    const run = (settle: Callback) => void ask(new NamedQuery(statement, texts, descriptions, settle));
    if (typeof callback === 'function') return run((...outcome) => void Reflect.apply(callback, undefined, outcome));
    return new Promise((resolve, reject) => {
      run((error, result) => {
        if (result === undefined) reject(error);
        else resolve(result);
      });
    });
  };
  Object.assign(client, { query });
}

function isNamed(query: unknown): query is NamedStatement {
  if (typeof query !== 'object' || query === null) return false;
  const { name, text, rowMode, types }: { [Key in keyof NamedStatement | 'rowMode']?: unknown } = query;
  if (typeof name !== 'string' || name === '' || typeof text !== 'string' || rowMode !== 'array') return false;
  return typeof types === 'object' && types !== null && 'getTypeParser' in types;
}
