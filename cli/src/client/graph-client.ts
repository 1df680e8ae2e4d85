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

const answerSchema = z.object({
  data: z.unknown().optional(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.record(z.string(), z.unknown()).optional() }))
    .optional(),
});

/**
 * A client of the graph, as a product would write one: operations over HTTP, subscriptions over one websocket
 * (graphql-transport-ws) that reconnects by itself.
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
      retryAttempts: 20,
      shouldRetry: () => true,
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

  /** Yields each event's data; ends with the server's complete. Break out of the loop to unsubscribe. */
  async *subscribe<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ): AsyncGenerator<Result> {
    for await (const event of this.#socket.iterate<Result>({ query: String(document), variables })) {
      if (event.errors?.length) throw new GraphError(event.errors);
      if (event.data) yield event.data;
    }
  }

  async close(): Promise<void> {
    await this.#socket.dispose();
  }
}
