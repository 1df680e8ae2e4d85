import type { GraphQLError } from 'graphql';
import type { Result } from '../results.ts';

/** How the results of one operation are written, one after the other, in one HTTP response. */
export interface StreamFormat {
  contentType: string;
  opening: string;
  result(result: Result): string;
  /** Ends the results with errors that belong to none of them. */
  failure(errors: readonly GraphQLError[]): string;
  /** What a client skips. */
  heartbeat: string;
  closing: string;
}

/** GraphQL over SSE, distinct connections mode (github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md). */
const sse: StreamFormat = {
  contentType: 'text/event-stream; charset=utf-8',
  opening: ':\n\n',
  result: sseEvent,
  failure: (errors) => sseEvent({ errors }),
  heartbeat: ':\n\n',
  // Without data the event source of a browser tells nobody.
  closing: 'event: complete\ndata: \n\n',
};

function sseEvent(data: object): string {
  return `event: next\ndata: ${JSON.stringify(data)}\n\n`;
}

/**
 * Multipart bodies (RFC 2046, section 5.1) as Apollo Client reads them: it looks for CRLF before the first delimiter too,
 * and sees a part when the delimiter behind it has come, which therefore does not wait for the next part.
 */
const DELIMITER = '\r\n--graphql';

function part(body: object): string {
  return `\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${JSON.stringify(body)}${DELIMITER}`;
}

/** Subscriptions over multipart HTTP, version 1.0 (apollographql.com/docs/graphos/routing, "multipart protocol"). */
const subscription: StreamFormat = {
  contentType: 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
  opening: DELIMITER,
  result: (payload) => part({ payload }),
  failure: (errors) => part({ payload: null, errors }),
  heartbeat: part({}),
  closing: '--\r\n',
};

/** Incremental delivery by the draft of 2022-08-24, of which Apollo Client's `Defer20220824Handler` is the reader. */
const defer: StreamFormat = {
  contentType: 'multipart/mixed;boundary="graphql";deferSpec=20220824',
  opening: DELIMITER,
  result: part,
  failure: (errors) => part({ errors, hasNext: false }),
  heartbeat: part({ hasNext: true }),
  closing: '--\r\n',
};

export const STREAM_FORMATS = { sse, subscription, defer };
export type StreamType = keyof typeof STREAM_FORMATS;
