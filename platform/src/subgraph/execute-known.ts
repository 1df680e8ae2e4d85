import { execute } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import { maskError } from '../graphql-errors.ts';
import type { CacheHints } from './cache-hints.ts';
import type { KnownRequest } from './known-operations.ts';
import type { RequestContext } from './request-context.ts';

export interface Answer {
  status: number;
  /** Names and values in turns. */
  headers: string[];
  text: string;
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** Executes what was found valid before, and answers as Apollo Server would. */
export async function executeKnown(
  { schema, hints }: { schema: GraphQLSchema; hints: CacheHints },
  { document, variables }: KnownRequest,
  context: RequestContext,
): Promise<Answer> {
  const { data, errors } = await execute({ schema, document, variableValues: variables, contextValue: context });
  const headers = ['content-type', JSON_TYPE];
  if (errors === undefined) {
    const hint = hints(document, context.caching.seconds);
    if (hint !== null) headers.push('cache-control', hint);
    return { status: 200, headers, text: JSON.stringify({ data }) };
  }
  const text = JSON.stringify({ errors: errors.map((error) => maskError(error, context)), data });
  // Without data nothing was executed: the variables were refused.
  return { status: data === undefined ? 400 : 200, headers, text };
}
