import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { listen } from './listen.ts';

/** A subgraph that answers what it is told to, when it is told to. */
export interface ControlledSubgraph {
  url: string;
  /** Queries that were asked, in order. */
  asked: string[];
  /** Open sockets, and how many there ever were. */
  sockets(): { open: number; ever: number };
  /** Holds answers to queries that contain the text until the function that is returned is called. */
  hold(part: string): { held: Promise<void>; release: () => void };
  close(): Promise<void>;
}

const requestSchema = z.object({ query: z.string() });

/** `data` is what its root fields are; scalars only. */
export async function startControlledSubgraph(data: Readonly<Record<string, string>>): Promise<ControlledSubgraph> {
  const asked: string[] = [];
  const holds: { part: string; held: PromiseWithResolvers<void>; released: PromiseWithResolvers<void> }[] = [];
  let open = 0;
  let ever = 0;

  async function answer(query: string, res: ServerResponse): Promise<void> {
    asked.push(query);
    const hold = holds.find(({ part }) => query.includes(part));
    if (hold !== undefined) {
      hold.held.resolve();
      await hold.released.promise;
    }
    const found = Object.entries(data).filter(([field]) => query.includes(field));
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data: Object.fromEntries(found) }));
  }

  const server = createServer((req, res) => {
    void text(req).then((body) => answer(requestSchema.parse(JSON.parse(body)).query, res));
  });
  server.on('connection', (socket) => {
    open += 1;
    ever += 1;
    socket.once('close', () => (open -= 1));
  });
  const url = `${await listen(server)}/graphql`;

  return {
    url,
    asked,
    sockets: () => ({ open, ever }),
    hold(part) {
      const hold = { part, held: Promise.withResolvers<void>(), released: Promise.withResolvers<void>() };
      holds.push(hold);
      const release = () => {
        holds.splice(holds.indexOf(hold), 1);
        hold.released.resolve();
      };
      return { held: hold.held.promise, release };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
