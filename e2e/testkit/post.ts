import { inject } from 'vitest';
import { z } from 'zod';

const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(
      z.object({
        message: z.string(),
        path: z.array(z.union([z.string(), z.number()])).optional(),
        extensions: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .optional(),
});

export interface Answer extends z.output<typeof answerSchema> {
  status: number;
  /** Each error's `extensions.code`. */
  codes: unknown[];
}

/** A raw request to the graph, for what a well-behaved client would not send. */
export async function post(
  query: string,
  { token, variables }: { token?: string; variables?: unknown } = {},
): Promise<Answer> {
  const response = await fetch(`${inject('system').url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  const answer = answerSchema.parse(await response.json());
  return {
    ...answer,
    status: response.status,
    codes: (answer.errors ?? []).map((error) => error.extensions?.['code']),
  };
}
