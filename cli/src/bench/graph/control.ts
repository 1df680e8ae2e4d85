import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { json } from 'node:stream/consumers';
import type { z } from 'zod';

/** By the last part of the path; each takes and gives JSON. */
export type Commands = Readonly<Record<string, (argument: unknown) => unknown>>;

/** Lets the bench tell a program of its own what to do. */
export async function serveCommands(port: number, commands: Commands): Promise<void> {
  const answer = async (req: IncomingMessage): Promise<string> => {
    const run = commands[(req.url ?? '').slice(1)];
    if (!run) throw new Error(`There is no command ${req.url}.`);
    return JSON.stringify((await run(await json(req))) ?? null);
  };
  const server = createServer((req, res) => {
    answer(req).then(
      (text) => res.end(text),
      (error: unknown) => res.writeHead(500).end(String(error)),
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

export async function command<T extends z.ZodType>(
  port: number,
  name: string,
  schema: T,
  argument: unknown = null,
): Promise<z.output<T>> {
  const response = await fetch(`http://127.0.0.1:${port}/${name}`, { method: 'POST', body: JSON.stringify(argument) });
  if (!response.ok) throw new Error(`${name}: ${await response.text()}`);
  return schema.parse(await response.json());
}
