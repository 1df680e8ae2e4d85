import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { z } from 'zod';

// `users` and, at the next port, `voices`: they answer the one query that is measured, as fast as can be. What they answer may be
// kept. Argument: the port of `users`.
const port = Number(process.argv[2]);

const requestSchema = z.object({
  variables: z.union([
    z.object({ representations: z.array(z.object({ id: z.string() })) }),
    z.object({ seed: z.number() }),
  ]),
});

const USERS = 20;
const LANGUAGES = ['en', 'fr'];

const usersOf = (seed: number) =>
  Array.from({ length: USERS }, (_, index) => ({
    __typename: 'User',
    id: String(seed * USERS + index),
    name: `User ${index}`,
    email: `u${index}@example.com`,
  }));
const voicesOf = (id: string) =>
  LANGUAGES.map((language, index) => ({ id: `${id}-${index}`, label: `Voice ${index}`, language }));

function answer(variables: z.output<typeof requestSchema>['variables']): object {
  if ('seed' in variables) return { data: { users: usersOf(variables.seed) } };
  return { data: { _entities: variables.representations.map(({ id }) => ({ voices: voicesOf(id) })) } };
}

for (const each of [port, port + 1]) {
  createServer((req, res) => {
    json(req).then(
      (body) => {
        const text = JSON.stringify(answer(requestSchema.parse(body).variables));
        const head = { 'content-type': 'application/json', 'cache-control': 'public, max-age=300' };
        return res.writeHead(200, { ...head, 'content-length': Buffer.byteLength(text) }).end(text);
      },
      (error: unknown) => res.writeHead(500).end(String(error)),
    );
  }).listen(each, '127.0.0.1');
}
