import { createClient } from 'graphql-ws';
import { z } from 'zod';
import { createIdentitySigner, type Credential, IDENTITY_HEADER } from '../identity.ts';

/** Signs what tests tell subgraphs of the caller. */
export const TEST_SECRET = 'a secret that only these tests know of';

const LIFETIME_SECONDS = 600;
const sign = createIdentitySigner(TEST_SECRET);

const responseSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(z.looseObject({ message: z.string(), extensions: z.looseObject({ code: z.string() }).optional() }))
    .optional(),
});

/** The identity header's value for ten minutes; `null` is the anonymous caller. */
export function signedIdentity(
  userId: string | null,
  roles: string[] = [],
  credential: Credential | null = null,
): string {
  const expiresAt = Math.floor(Date.now() / 1000) + LIFETIME_SECONDS;
  return sign({ userId, roles, scopes: [], plan: null, credential, expiresAt });
}

/** Somebody who talks to a subgraph as the router would on their behalf. */
export function callerOf<Id extends string | null>(url: string, id: Id, credential: Credential | null = null) {
  const token = signedIdentity(id, [], credential);

  const post = (query: string, variables: Record<string, unknown>) =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [IDENTITY_HEADER]: token },
      body: JSON.stringify({ query, variables }),
    });

  async function raw(query: string, variables: Record<string, unknown> = {}) {
    return responseSchema.parse(await (await post(query, variables)).json());
  }

  return {
    id,
    raw,

    /** The data; errors are thrown. */
    async ask<T>(query: string, variables: Record<string, unknown>, shape: z.ZodType<T>): Promise<T> {
      const { data, errors } = await raw(query, variables);
      if (errors !== undefined) throw new Error(JSON.stringify(errors));
      return shape.parse(data);
    },

    /** For how many seconds a router may keep the answer; 0: not at all. */
    async keptFor(query: string, variables: Record<string, unknown> = {}): Promise<number> {
      const { headers } = await post(query, variables);
      return Number(/max-age=(\d+)/.exec(headers.get('cache-control') ?? '')?.[1] ?? 0);
    },

    /** The events of a subscription; ends with it. An error's message is its codes. */
    async *follow<T>(query: string, variables: Record<string, unknown>, shape: z.ZodType<T>): AsyncGenerator<T> {
      const client = createClient({ url: `${url.replace('http', 'ws')}/graphql` });
      try {
        for await (const event of client.iterate({ query, variables, extensions: { identity: token } })) {
          const { data, errors } = responseSchema.parse(event);
          if (errors !== undefined) throw new Error(errors.map((error) => error.extensions?.code).join());
          yield shape.parse(data);
        }
      } finally {
        await client.dispose();
      }
    },
  };
}
