import type { IncomingMessage } from 'node:http';
import { readBody } from '@timbre/platform/http-body';
import { isRecord } from '../../demand/list-size.ts';
import type { OperationRequest } from '../../operations/prepare-operation.ts';
import { HttpRefusal } from './http-refusal.ts';
import { JSON_TYPE, parseContentType } from './media-types.ts';

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

/** By hand, as every request passes here. */
function checkParameters(value: unknown): OperationRequest {
  if (!isRecord(value)) {
    throw new HttpRefusal(400, 'BAD_REQUEST', 'The request must be a JSON object with a "query".');
  }
  const { query, operationName, variables, extensions } = value;
  if (!isTextOrNothing(query)) throw malformed('"query" must be a string.');
  if (!isTextOrNothing(operationName)) throw malformed('"operationName" must be a string.');
  if (!isRecordOrNothing(variables)) throw malformed('"variables" must be an object.');
  if (!isRecordOrNothing(extensions)) throw malformed('"extensions" must be an object.');
  if (typeof query === 'string') return { query, operationName, variables, extensions };
  if (extensions?.['persistedQuery'] === undefined) throw malformed('"query" is missing.');
  return { operationName, variables, extensions };
}

const isTextOrNothing = (value: unknown): value is string | null | undefined =>
  value === undefined || value === null || typeof value === 'string';

const isRecordOrNothing = (value: unknown): value is Record<string, unknown> | null | undefined =>
  value === undefined || value === null || isRecord(value);

function malformed(message: string): HttpRefusal {
  return new HttpRefusal(400, 'BAD_REQUEST', message);
}

function parseJson(text: string, message: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpRefusal(400, 'BAD_REQUEST', message);
  }
}
