import type { IncomingMessage } from 'node:http';
import { readBody } from '@timbre/platform/http-body';
import { z } from 'zod';
import type { OperationRequest } from '../../operations/prepare-operation.ts';
import { HttpRefusal } from './http-refusal.ts';
import { JSON_TYPE, parseContentType } from './media-types.ts';

const parametersSchema = z.object({
  query: z.string({ error: 'must be a string' }),
  operationName: z.string({ error: 'must be a string' }).nullish(),
  variables: z.record(z.string(), z.unknown(), { error: 'must be an object' }).nullish(),
  extensions: z.record(z.string(), z.unknown(), { error: 'must be an object' }).nullish(),
});

/**
 * The GraphQL request that an HTTP request carries (GraphQL over HTTP, section 5).
 *
 * @throws HttpRefusal 400, 405 or 415; AppError PAYLOAD_TOO_LARGE
 */
export async function readRequest(
  req: IncomingMessage,
  search: URLSearchParams,
  maxBodyBytes: number,
): Promise<OperationRequest> {
  if (req.method === 'GET') return readParameters(search);
  if (req.method !== 'POST') {
    throw new HttpRefusal(
      405,
      'METHOD_NOT_ALLOWED',
      `${req.method} is not for GraphQL: use POST, or GET for queries.`,
      {
        headers: { allow: 'GET, POST, OPTIONS' },
      },
    );
  }
  const content = parseContentType(req.headers['content-type']);
  if (content?.type !== JSON_TYPE || (content.charset ?? 'utf-8').replace('-', '') !== 'utf8') {
    throw new HttpRefusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send the request as application/json in UTF-8.');
  }
  if (req.headers['content-encoding'] !== undefined && req.headers['content-encoding'] !== 'identity') {
    throw new HttpRefusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send the request without a content encoding.');
  }
  const json = parseJson((await readBody(req, maxBodyBytes)).toString('utf8'), 'The body is not JSON.');
  if (Array.isArray(json)) throw new HttpRefusal(400, 'BAD_REQUEST', 'Batches of operations are not taken: send one.');
  return checkParameters(json);
}

function readParameters(search: URLSearchParams): OperationRequest {
  const json = (name: string) => {
    const text = search.get(name);
    return text === null || text === '' ? undefined : parseJson(text, `The parameter "${name}" is not JSON.`);
  };
  return checkParameters({
    query: search.get('query') ?? undefined,
    operationName: search.get('operationName') ?? undefined,
    variables: json('variables'),
    extensions: json('extensions'),
  });
}

function checkParameters(value: unknown): OperationRequest {
  if (typeof value !== 'object' || value === null) {
    throw new HttpRefusal(400, 'BAD_REQUEST', 'The request must be a JSON object with a "query".');
  }
  const parsed = parametersSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = String(issue?.path[0] ?? 'query');
  const missing = name === 'query' && (!('query' in value) || value.query === undefined || value.query === null);
  throw new HttpRefusal(400, 'BAD_REQUEST', missing ? '"query" is missing.' : `"${name}" ${issue?.message}.`);
}

function parseJson(text: string, message: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpRefusal(400, 'BAD_REQUEST', message);
  }
}
