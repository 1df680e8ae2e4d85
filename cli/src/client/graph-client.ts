import { createClient, type Client } from 'graphql-ws';
import { z } from 'zod';
import type { TypedDocumentString } from '../generated/graphql.ts';

/** What came back in the answer's `errors`, as one error; `codes` holds each `extensions.code`. */
export class GraphError extends Error {
  readonly codes: string[];

  constructor(errors: readonly { message: string; extensions?: Record<string, unknown> | undefined }[]) {
    super(errors.map((error) => error.message).join('; '));
    this.name = 'GraphError';
    this.codes = errors.flatMap((error) =>
      typeof error.extensions?.['code'] === 'string' ? [error.extensions['code']] : [],
    );
  }
}

/** The websocket closed; what was subscribed may be asked for again. */
export class ConnectionLost extends Error {
  constructor(reason: string) {
    super(`The connection was lost: ${reason}`);
    this.name = 'ConnectionLost';
  }
}

/** graphql-ws rejects with an array of GraphQL errors, with a close event, or with the socket's error event. */
function asError(error: unknown): Error {
  if (Array.isArray(error)) return new GraphError(errorsSchema.parse(error));
  const { code, reason, message } = closeSchema.parse(error);
  return new ConnectionLost([code, reason, message].filter(Boolean).join(' ') || 'the socket failed');
}

const closeSchema = z.object({
  code: z.number().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
});

const errorsSchema = z.array(
  z.object({ message: z.string(), extensions: z.record(z.string(), z.unknown()).optional() }),
);

const answerSchema = z.object({
  data: z.unknown().optional(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.record(z.string(), z.unknown()).optional() }))
    .optional(),
});

/**
 * A client of the graph, as a product would write one: operations over HTTP, subscriptions over one websocket
 * (graphql-transport-ws).
 */
export class GraphClient {
  readonly #url: string;
  readonly #token: string;
  readonly #socket: Client;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
    this.#socket = createClient({
      url: url.replace(/^http/, 'ws'),
      connectionParams: { Authorization: `Bearer ${token}` },
      // Resuming is the subscriber's business: asking again with the old variables would repeat what it has seen.
      retryAttempts: 0,
    });
  }

  /** @throws GraphError when the answer has errors; nothing that is null by policy is passed off as data */
  async execute<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ): Promise<Result> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        authorization: `Bearer ${this.#token}`,
      },
      body: JSON.stringify({ query: String(document), variables }),
    });
    const answer = answerSchema.parse(await response.json());
    if (answer.errors?.length) throw new GraphError(answer.errors);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the generated type of a document that the server validates
    return answer.data as Result;
  }

  /**
   * Yields each event's data; ends with the server's complete. Break out of the loop to unsubscribe.
   *
   * @throws GraphError when an answer has errors; ConnectionLost when the socket closes before the end
   */
  async *subscribe<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ): AsyncGenerator<Result> {
    const events = this.#socket.iterate<Result>({ query: String(document), variables });
    try {
      for (;;) {
        const { value, done } = await events.next().catch((error: unknown) => {
          throw asError(error);
        });
        if (done) return;
        if (value.errors?.length) throw new GraphError(value.errors);
        if (value.data) yield value.data;
      }
    } finally {
      await events.return?.();
    }
  }

  async close(): Promise<void> {
    await this.#socket.dispose();
  }
}
