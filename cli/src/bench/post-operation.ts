import { z } from 'zod';

const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(z.looseObject({ message: z.string(), extensions: z.looseObject({ code: z.string() }).optional() }))
    .optional(),
});

export interface Answer extends z.infer<typeof answerSchema> {
  status: number;
}

export interface OperationRequest {
  query: string;
  variables?: Record<string, unknown>;
  operationName?: string;
}

/** One operation over HTTP; whatever the status is. */
export async function postOperation(url: string, request: OperationRequest, token?: string): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(request),
  });
  return { status: response.status, ...answerSchema.parse(await response.json()) };
}

export const codesOf = ({ errors }: Answer): string[] => (errors ?? []).map((error) => error.extensions?.code ?? '');
