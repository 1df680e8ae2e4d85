import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { json, text } from 'node:stream/consumers';
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
      (result) => res.end(result),
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
    const asked = post(`http://127.0.0.1:${port}/${name}`, JSON.stringify(argument));
    const response = await Promise.race([asked, failed]);
    if (response.statusCode !== 200) throw new Error(`${name}: ${await text(response)}`);
    return schema.parse(await json(response));
  };
}

/** Without the end that `fetch` makes of what takes five minutes. */
function post(url: string, body: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request(url, { method: 'POST' }, resolve).on('error', reject).end(body);
  return promise;
}
