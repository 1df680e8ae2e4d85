import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { json } from 'node:stream/consumers';
import type { z } from 'zod';
import type { PinnedProcess } from '../pinned-process.ts';

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

export interface Commander {
  <T extends z.ZodType>(name: string, schema: T, argument?: unknown): Promise<z.output<T>>;
}

/** Tells a program that serves commands at `port` what to do. What is asked of it fails when it ends. */
export function commander({ failed }: PinnedProcess, port: number): Commander {
  return async (name, schema, argument = null) => {
    const request = fetch(`http://127.0.0.1:${port}/${name}`, { method: 'POST', body: JSON.stringify(argument) });
    const response = await Promise.race([request, failed]);
    if (!response.ok) throw new Error(`${name}: ${await response.text()}`);
    return schema.parse(await response.json());
  };
}
