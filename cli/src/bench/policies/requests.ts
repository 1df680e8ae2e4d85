import { createHash } from 'node:crypto';

export interface RequestKind {
  /** The document is named by its hash; default: sent. */
  byHash?: true;
  /** A few again and again; default: no two alike. */
  repeated?: true;
  /** Of a client that takes gzip. */
  compressed?: true;
}

export const QUERY = 'query Q($seed: Int!) { users(seed: $seed) { id name email voices { id label language } } }';
export const QUERY_HASH = createHash('sha256').update(QUERY).digest('hex');

const REPEATED = 100;

const document = JSON.stringify({ operationName: 'Q', query: QUERY }).slice(0, -1);
const extensions = { persistedQuery: { version: 1, sha256Hash: QUERY_HASH } };
const byHash = JSON.stringify({ operationName: 'Q', extensions }).slice(0, -1);

/** Makes the requests, but for their first line, of people who each have a token. */
export function requestsOf(kind: RequestKind, tokens: readonly string[]): (index: number) => string {
  const encoding = kind.compressed ? 'accept-encoding: gzip\r\n' : '';
  const head = `content-type: application/json\r\naccept: application/json\r\n${encoding}`;
  const start = kind.byHash ? byHash : document;
  return (index) => {
    const seed = kind.repeated ? index % REPEATED : index;
    const body = `${start},"variables":{"seed":${seed}}}`;
    return `authorization: Bearer ${tokens[index % tokens.length]}\r\n${head}content-length: ${body.length}\r\n\r\n${body}`;
  };
}
