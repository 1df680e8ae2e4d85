import { Agent, createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen } from './listen.ts';

/** Shares requests out among routers in turn, as simply as can be: it asks for their health, and tries nothing twice. */
export interface Balancer {
  url: string;
  /** In the place of those that were. */
  use(...routers: string[]): void;
  /** How many requests each has answered, by its URL. */
  answered: Map<string, number>;
  /** What went wrong between it and the routers. */
  failures: string[];
  close(): void;
}

const CHECK_MS = 50;

export async function startBalancer(): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true });
  const answered = new Map<string, number>();
  const failures: string[] = [];
  let routers: string[] = [];
  const ready = new Set<string>();
  let turn = 0;

  async function check(): Promise<void> {
    for (const router of routers) {
      const { ok } = await fetch(new URL('/health', router)).catch(() => ({ ok: false }));
      if (ok) ready.add(router);
      else ready.delete(router);
    }
  }

  function forward(req: IncomingMessage, res: ServerResponse): void {
    const candidates = routers.filter((router) => ready.has(router));
    turn += 1;
    const router = candidates[turn % candidates.length];
    if (router === undefined) {
      failures.push('no router is ready');
      res.writeHead(503).end();
      return;
    }
    const { connection: _connection, ...headers } = req.headers;
    const asked = request(router, { method: req.method ?? 'GET', headers, agent }, (answer) => {
      answered.set(router, (answered.get(router) ?? 0) + 1);
      const { connection: _close, 'keep-alive': _alive, ...rest } = answer.headers;
      res.writeHead(answer.statusCode ?? 502, rest);
      answer.pipe(res);
    });
    asked.on('error', (error) => {
      failures.push(`${router}: ${error.message}`);
      if (!res.headersSent) res.writeHead(502);
      res.end();
    });
    req.pipe(asked);
  }

  const server = createServer(forward);
  const url = `${await listen(server)}/graphql`;
  const checking = setInterval(() => void check(), CHECK_MS);
  return {
    url,
    answered,
    failures,
    use(...all) {
      routers = all;
    },
    close() {
      clearInterval(checking);
      agent.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}
