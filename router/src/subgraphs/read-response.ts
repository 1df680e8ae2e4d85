import { isUtf8 } from 'node:buffer';
import type { GraphQLFormattedError } from 'graphql';
import { unusable } from './subgraph-failures.ts';
import type { CachingHeaders, SubgraphResponse } from './subgraph-transport.ts';

/** What came back over HTTP, in full and without its content encoding. */
export class Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
  readonly caching: CachingHeaders | undefined;

  constructor(status: number, type: string | undefined, text: string, caching?: CachingHeaders) {
    this.status = status;
    this.type = type;
    this.text = text;
    this.caching = caching;
  }
}

/** @throws SubgraphFailure */
export function readAnswer(subgraph: string, { status, type, text, caching }: Answer): SubgraphResponse {
  if (type !== undefined && !isJsonType(type))
    throw unusable(subgraph, `answered ${status} with something else than JSON`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unusable(subgraph, `answered ${status} without JSON`, error);
  }
  const response = toResponse(json);
  if (response === null || (response.data === undefined && response.errors === undefined)) {
    throw unusable(subgraph, `answered ${status} without a GraphQL response`);
  }
  if (caching !== undefined) response.caching = caching;
  response.text = text;
  return response;
}

/**
 * A GraphQL response as a subgraph sent it in an event, checked for its form.
 *
 * @throws SubgraphFailure
 */
export function parseSubgraphResponse(subgraph: string, value: unknown): SubgraphResponse {
  const response = toResponse(value);
  if (response === null) throw unusable(subgraph, 'sent no GraphQL response');
  return response;
}

/** @returns null where it is not UTF-8 */
export function decodeUtf8(bytes: Buffer): string | null {
  const text = bytes.toString('utf8');
  // What cannot be decoded becomes a replacement character: only a text that has one need be looked at again.
  if (text.includes('\uFFFD') && !isUtf8(bytes)) return null;
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json[ \t]*(?:;|$)/i;

function isJsonType(type: string): boolean {
  return type.startsWith('application/json') || JSON_TYPE.test(type);
}

/** By hand, as every answer passes here: a schema library takes several times as long for the same few checks. */
function toResponse(value: unknown): SubgraphResponse | null {
  if (!isRecord(value)) return null;
  const { data, errors } = value;
  if (data !== undefined && data !== null && !isRecord(data)) return null;
  const response: SubgraphResponse = data === undefined ? {} : { data };
  if (errors === undefined || errors === null) return response;
  if (!Array.isArray(errors)) return null;
  if (errors.length === 0) return response;
  const reported: GraphQLFormattedError[] = [];
  for (const error of errors) {
    const checked = toError(error);
    if (checked === null) return null;
    reported.push(checked);
  }
  response.errors = reported;
  return response;
}

function toError(value: unknown): GraphQLFormattedError | null {
  if (!isRecord(value)) return null;
  const { message, path, extensions } = value;
  if (typeof message !== 'string') return null;
  const isPathGiven = path !== undefined && path !== null;
  const areExtensionsGiven = extensions !== undefined && extensions !== null;
  if (isPathGiven && !isPath(path)) return null;
  if (areExtensionsGiven && !isRecord(extensions)) return null;
  return {
    message,
    ...(isPathGiven ? { path } : {}),
    ...(areExtensionsGiven ? { extensions } : {}),
  };
}

function isPath(value: unknown): value is (string | number)[] {
  return Array.isArray(value) && value.every((step) => typeof step === 'string' || typeof step === 'number');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
