import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { AppError } from '@timbre/platform/errors';
import { readBody } from '@timbre/platform/http-body';
import { isRecord } from '../../demand/list-size.ts';
import type { OperationRequest } from '../../operations/prepare-operation.ts';
import { decompress, isBomb } from '../../subgraphs/decompress.ts';
import { METHODS } from './cors.ts';
import { HttpRefusal } from './http-refusal.ts';
import { JSON_TYPE, parseContentType } from './media-types.ts';

export interface ReadRequestOptions {
  /** Before and after decompression. */
  maxBodyBytes: number;
  batching: BatchingOptions | null;
}

export interface BatchingOptions {
  /** Operations in one request. */
  maximum: number;
}

/**
 * The GraphQL request that an HTTP request carries (GraphQL over HTTP, section 5), or an array of them as Apollo's
 * clients batch them. A batch of which one cannot be read is refused as a whole, as by the Apollo Router.
 *
 * @throws HttpRefusal 400, 405, 415 or 422; AppError PAYLOAD_TOO_LARGE
 */
export async function readRequest(
  req: IncomingMessage,
  search: URLSearchParams,
  { maxBodyBytes, batching }: ReadRequestOptions,
): Promise<OperationRequest | OperationRequest[]> {
  if (req.method === 'GET') return readParameters(req, search);
  if (req.method !== 'POST') {
    throw new HttpRefusal(
      405,
      'METHOD_NOT_ALLOWED',
      `${req.method} is not for GraphQL: use POST, or GET for queries.`,
      { headers: { allow: METHODS } },
    );
  }
  if (!isJson(req.headers['content-type'])) throw notJson();
  const encoding = req.headers['content-encoding'];
  const sent = await readBody(req, maxBodyBytes);
  const body = encoding === undefined ? sent : await decoded(encoding, sent, maxBodyBytes);
  // What stands for bytes that are no text would not be what was sent.
  if (!isUtf8(body)) throw malformed('The body is not UTF-8.');
  const json = parseJson(body.toString('utf8'), 'The body is not JSON.');
  return Array.isArray(json) ? checkBatch(json, batching) : checkParameters(json);
}

function isJson(contentType: string | undefined): boolean {
  if (contentType === JSON_TYPE) return true;
  const content = parseContentType(contentType);
  return content?.type === JSON_TYPE && (content.charset ?? 'utf-8').replace('-', '') === 'utf8';
}

function notJson(): HttpRefusal {
  return new HttpRefusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send the request as application/json in UTF-8.');
}

function decoded(encoding: string, body: Buffer, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const isKnown = decompress(encoding, body, maxBytes, (error, bytes) => {
      if (error === null) resolve(bytes);
      else if (!isBomb(error)) reject(malformed(`The body is not encoded as ${encoding.trim()}.`));
      else {
        const message = `A request body may have at most ${maxBytes} bytes; decompressed this one has more.`;
        reject(new AppError('PAYLOAD_TOO_LARGE', message, { details: { maximum: maxBytes } }));
      }
    });
    if (!isKnown) {
      const message = 'Send the request as it is, or encoded as gzip or br.';
      const headers = { 'accept-encoding': 'gzip, br' };
      reject(new HttpRefusal(415, 'UNSUPPORTED_MEDIA_TYPE', message, { headers }));
    }
  });
}

function checkBatch(requests: readonly unknown[], batching: BatchingOptions | null): OperationRequest[] {
  const count = requests.length;
  if (batching === null) {
    throw new HttpRefusal(400, 'BATCHING_NOT_ENABLED', 'Batches of operations are not taken: send one.');
  }
  const { maximum } = batching;
  if (count > maximum) {
    const message = `A batch may have at most ${maximum} operations; this one has ${count}.`;
    throw new HttpRefusal(422, 'BATCH_LIMIT_EXCEEDED', message, { details: { maximum, actual: count } });
  }
  if (count === 0) throw malformed('The batch is empty.');
  return requests.map((request, index) => checkParameters(request, `At index ${index} of the batch: `));
}

function readParameters(req: IncomingMessage, search: URLSearchParams): OperationRequest {
  // Not every browser asks first before it sends a type that is not simple.
  const type = req.headers['content-type'];
  if (type !== undefined && !isJson(type)) throw notJson();
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
function checkParameters(value: unknown, where = ''): OperationRequest {
  if (!isRecord(value)) throw malformed(`${where}The request must be a JSON object with a "query".`);
  const { query, operationName, variables, extensions } = value;
  if (!isTextOrNothing(query)) throw malformed(`${where}"query" must be a string.`);
  if (!isTextOrNothing(operationName)) throw malformed(`${where}"operationName" must be a string.`);
  if (!isRecordOrNothing(variables)) throw malformed(`${where}"variables" must be an object.`);
  if (!isRecordOrNothing(extensions)) throw malformed(`${where}"extensions" must be an object.`);
  if (typeof query === 'string') return { query, operationName, variables, extensions };
  if (extensions?.['persistedQuery'] === undefined) throw malformed(`${where}"query" is missing.`);
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
    throw malformed(message);
  }
}
