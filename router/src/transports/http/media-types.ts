import { HttpRefusal } from './http-refusal.ts';
import type { StreamType } from './stream-formats.ts';

export const GRAPHQL_RESPONSE = 'application/graphql-response+json';
export const JSON_TYPE = 'application/json';
export type ResponseType = typeof GRAPHQL_RESPONSE | typeof JSON_TYPE;

interface MediaRange {
  type: string;
  quality: number;
  charset: string | null;
  parameters: ReadonlyMap<string, string>;
}

/** The ways in which a client takes an answer; null where it takes none of a kind. */
export interface Accepted {
  /** One response. */
  single: ResponseType | null;
  /** What a query or a mutation becomes where it must not be one response. */
  results: 'sse' | 'defer' | null;
  subscription: 'sse' | 'subscription' | null;
}

const MAX_KNOWN = 100;
/** Clients send one of few values, and each with every request. */
const known = new Map<string, Accepted>();

/**
 * What a client accepts, of each kind what it accepts best. What leaves the choice to us gets
 * `application/json`: clients that do not name the newer type may read errors from 200 only (GraphQL
 * over HTTP, section 6.1, "legacy watershed"). A stream must be named.
 */
export function negotiate(accept: string | undefined): Accepted {
  if (accept === undefined || accept.trim() === '') return { single: JSON_TYPE, results: null, subscription: null };
  let accepted = known.get(accept);
  if (accepted === undefined) {
    const ranges = accept.split(',').map(parseRange);
    accepted = {
      single: bestOf(ranges, responseTypeOf),
      results: bestOf(ranges, (range) => only(streamTypeOf(range), ['sse', 'defer'])),
      subscription: bestOf(ranges, (range) => only(streamTypeOf(range), ['sse', 'subscription'])),
    };
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(accept, accepted);
  }
  return accepted;
}

export function notAcceptable(): HttpRefusal {
  return new HttpRefusal(
    406,
    'UNSUPPORTED_MEDIA_TYPE',
    `Responses are ${GRAPHQL_RESPONSE} or ${JSON_TYPE}, and streams text/event-stream or multipart/mixed.`,
  );
}

function bestOf<T>(ranges: readonly MediaRange[], typeOf: (range: MediaRange) => T | null): T | null {
  let best: { type: T; quality: number } | null = null;
  for (const range of ranges) {
    const type = typeOf(range);
    if (type !== null && range.quality > 0 && (best === null || range.quality > best.quality)) {
      best = { type, quality: range.quality };
    }
  }
  return best?.type ?? null;
}

function only<T extends StreamType>(type: StreamType | null, types: readonly T[]): T | null {
  return types.find((candidate) => candidate === type) ?? null;
}

function streamTypeOf({ type, charset, parameters }: MediaRange): StreamType | null {
  if (!isUtf8(charset)) return null;
  if (type === 'text/event-stream') return 'sse';
  if (type !== 'multipart/mixed') return null;
  if (parameters.get('subscriptionspec') === '1.0') return 'subscription';
  return parameters.get('deferspec') === '20220824' ? 'defer' : null;
}

/** Whether a browser's navigation asks: `text/html` by name. */
export function prefersHtml(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((range) => parseRange(range).type === 'text/html');
}

/** The type and charset of a body; null where none is named. */
export function parseContentType(value: string | undefined): { type: string; charset: string | null } | null {
  if (value === undefined || value.trim() === '') return null;
  const { type, charset } = parseRange(value);
  return { type, charset };
}

function responseTypeOf({ type, charset }: MediaRange): ResponseType | null {
  if (!isUtf8(charset)) return null;
  if (type === GRAPHQL_RESPONSE) return GRAPHQL_RESPONSE;
  return type === JSON_TYPE || type === 'application/*' || type === '*/*' ? JSON_TYPE : null;
}

function isUtf8(charset: string | null): boolean {
  return charset === null || charset === 'utf-8' || charset === 'utf8';
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.toLowerCase().split(';');
  const values = new Map(
    parameters.map((parameter) => {
      const [name = '', value = ''] = parameter.split('=', 2);
      return [name.trim(), value.trim().replace(/^"|"$/g, '')];
    }),
  );
  const quality = Number(values.get('q') ?? '1');
  return {
    type: type.trim(),
    quality: Number.isFinite(quality) ? quality : 0,
    charset: values.get('charset') ?? null,
    parameters: values,
  };
}
