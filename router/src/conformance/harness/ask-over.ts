import { hash } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { partsOf, putTogether } from './ask-incrementally.ts';
import type { Operation } from './expect-same.ts';

/** Every way in which a query may be asked; the first of them are for mutations, too. */
export const TRANSPORTS = ['post', 'ws', 'batch', 'multipart', 'sse', 'apq', 'get', 'apq-get'] as const;
export type Transport = (typeof TRANSPORTS)[number];
export const MUTATION_TRANSPORTS: readonly Transport[] = ['post', 'ws', 'batch', 'sse', 'apq'];

export interface Asked {
  /** All that was sent, as text. */
  text: string;
  data: Record<string, unknown> | null;
}

export interface AskOptions {
  url: string;
  /** Null: without one. */
  token: string | null;
  /** What is asked beside it, in a batch. */
  beside: Operation;
}

const MULTIPART = 'multipart/mixed;deferSpec=20220824, application/json';
const payloadSchema = z.looseObject({ errors: z.array(z.looseObject({ message: z.string() })).optional() });
const batchSchema = z.array(z.unknown());

/** Asks an operation as one kind of client would. What is delivered in parts is put together. */
export async function askOver(transport: Transport, operation: Operation, options: AskOptions): Promise<Asked> {
  const payloads = await payloadsOver(transport, operation, options);
  const own = transport === 'batch' ? payloads.slice(-1) : payloads;
  return { text: JSON.stringify(payloads), data: putTogether(own).data };
}

/** The data of every event of a subscription. */
export async function subscribeOver(
  operation: Operation,
  { url, token }: Pick<AskOptions, 'url' | 'token'>,
): Promise<Asked[]> {
  return (await overSocket(operation, url, token)).map((event) => {
    return { text: JSON.stringify(event), data: putTogether([event]).data };
  });
}

async function payloadsOver(transport: Transport, operation: Operation, options: AskOptions): Promise<unknown[]> {
  const { url, token, beside } = options;
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  const post = (body: unknown, accept = 'application/json') =>
    fetch(url, { method: 'POST', headers: { ...headers, accept }, body: JSON.stringify(body) });
  const get = (parameters: Record<string, string>) =>
    fetch(`${url}?${new URLSearchParams(parameters).toString()}`, { headers });
  const { query, variables } = operation;
  const sha256Hash = hash('sha256', query);
  const extensions = { persistedQuery: { version: 1, sha256Hash } };
  const texts = { variables: JSON.stringify(variables), extensions: JSON.stringify(extensions) };

  const ways: Record<Transport, () => Promise<unknown[]>> = {
    post: async () => partsOf(await post(operation)),
    multipart: async () => partsOf(await post(operation, MULTIPART)),
    sse: async () => eventsIn(await (await post(operation, 'text/event-stream')).text()),
    get: async () => partsOf(await get({ query, variables: texts.variables })),
    ws: () => overSocket(operation, url, token),
    batch: async () => batchSchema.parse(await (await post([beside, operation])).json()),
    async apq() {
      const [first] = await partsOf(await post({ variables, extensions }));
      return isUnknown(first) ? partsOf(await post({ ...operation, extensions })) : [first];
    },
    async 'apq-get'() {
      const [first] = await partsOf(await get(texts));
      return isUnknown(first) ? partsOf(await get({ ...texts, query })) : [first];
    },
  };
  return ways[transport]();
}

function isUnknown(payload: unknown): boolean {
  return payloadSchema.parse(payload).errors?.[0]?.message === 'PersistedQueryNotFound';
}

function eventsIn(text: string): unknown[] {
  return [...text.matchAll(/^event: next\ndata: (?<data>.*)$/gm)].map(({ groups }) =>
    JSON.parse(groups?.['data'] ?? 'null'),
  );
}

async function overSocket({ query, variables }: Operation, url: string, token: string | null): Promise<unknown[]> {
  const client = createClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    ...(token === null ? {} : { connectionParams: { Authorization: `Bearer ${token}` } }),
  });
  const payloads: unknown[] = [];
  for await (const payload of client.iterate({ query, variables })) payloads.push(payload);
  await client.dispose();
  return payloads;
}
