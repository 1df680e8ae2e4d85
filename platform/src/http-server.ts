import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { within } from './deadline.ts';
import { AppError, isAppError } from './errors.ts';
import { sendError, sendJson } from './http-body.ts';
import { listen } from './listen.ts';
import type { ListenAt } from './listen.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export type HttpHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void> | void;
export type UpgradeHandler = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface HttpServerOptions extends ListenAt {
  handler: HttpHandler;
  upgrade?: UpgradeHandler;
  /** Resolves when the service can do its work; throws or rejects otherwise. */
  ready: () => Promise<void> | void;
  metrics: Metrics;
  log: Logger;
  /** The name of a request's route in the metrics; must come from a small fixed set. */
  routeOf?: (req: IncomingMessage) => string;
  /** Who may read `/metrics`; default everybody who reaches the port. */
  metricsFor?: (req: IncomingMessage) => boolean;
  /** Of the answers that are not the handler's: health, metrics, errors. Lower-case names. */
  headers?: Readonly<Record<string, string>>;
  /**
   * For how long a server that is to close still takes connections, not ready any more: whoever shares requests out has
   * to see that first. Default 0.
   */
  lameDuckMs?: number;
  /** Runs when nothing new is taken any more, beside the requests in flight: end here what does not end by itself. */
  onDrain?: () => Promise<void>;
}

export interface HttpServer {
  port: number;
  url: string;
  /**
   * Ready no more, it ends every connection with its next answer; after `lameDuckMs` it stops accepting, lets requests in
   * flight finish, and cuts those that outlast the deadline.
   */
  close(options?: { deadlineMs?: number }): Promise<void>;
}

/** Longer than any client's pool keeps an idle connection, so that it is never ours to close under a request. */
const KEEP_ALIVE_MS = 75_000;
/** For the head of a request, and for the first of a connection; who sends it byte by byte gets 408. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Between two looks at who takes too long. */
const CHECK_EVERY_MS = 2_000;
const DRAIN_DEADLINE_MS = 20_000;
const READY_DEADLINE_MS = 3_000;
/** Requests that Node.js gave up reading, by its error code. */
const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** An HTTP server with `/livez`, `/readyz` and `/metrics`, and a drain. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { log, metrics, headers = {}, lameDuckMs = 0 } = options;
  let draining = false;
  let inFlight = 0;
  let idle: (() => void) | undefined;

  const timeouts = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
  };
  const server = createServer(timeouts, (req, res) => {
    const path = (req.url ?? '/').split('?', 1)[0] ?? '/';
    if (draining) res.setHeader('connection', 'close');
    const route = routeName(path, req, options);
    const started = performance.now();
    inFlight += 1;
    res.once('close', () => {
      const status = res.writableFinished ? String(res.statusCode) : 'aborted';
      metrics.httpDuration.with(route, status).observe((performance.now() - started) / 1000);
      inFlight -= 1;
      if (inFlight === 0) idle?.();
    });
    answer(path, req, res).catch((error: unknown) => fail(res, error, { log, headers }));
  });
  const { upgrade } = options;
  if (upgrade !== undefined) {
    server.on('upgrade', (req, socket, head) => {
      // Node.js has taken its own listener off by now: a client that resets the connection would end the process.
      socket.on('error', () => socket.destroy());
      upgrade(req, socket, head);
    });
  }
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) return;
    const status = CLIENT_ERRORS[error.code ?? ''] ?? '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });

  async function answer(path: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (path === '/livez') return sendJson(res, 200, { status: 'alive' }, headers);
    if (path === '/readyz') return answerReady(res);
    if (path === '/metrics' && (options.metricsFor?.(req) ?? true)) {
      const text = await metrics.registry.metrics();
      res.writeHead(200, { ...headers, 'content-type': metrics.registry.contentType }).end(text);
      return undefined;
    }
    return options.handler(req, res);
  }

  async function answerReady(res: ServerResponse): Promise<void> {
    if (draining) return sendJson(res, 503, { status: 'draining' }, headers);
    try {
      await within(
        READY_DEADLINE_MS,
        (async () => options.ready())(),
        () => new Error(`no answer within ${READY_DEADLINE_MS} ms`),
      );
      return sendJson(res, 200, { status: 'ready' }, headers);
    } catch (error) {
      log.warn({ err: error }, 'not ready');
      return sendJson(res, 503, { status: 'not ready' }, headers);
    }
  }

  const { port, close } = await listen(server, options);
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;

  let closing: Promise<void> | undefined;
  return {
    port,
    url: `http://${host}:${port}`,
    close({ deadlineMs = DRAIN_DEADLINE_MS } = {}) {
      closing ??= (async () => {
        draining = true;
        // Nothing is closed under a request meanwhile: each connection ends with the next answer on it.
        if (lameDuckMs > 0) await delay(lameDuckMs);
        const finished = new Promise<void>((resolve) => {
          idle = resolve;
          if (inFlight === 0) resolve();
        });
        const closed = close();
        server.closeIdleConnections();
        // A connection that answered its last request only now is idle only now.
        const sweep = setInterval(() => server.closeIdleConnections(), 50);
        const cut = setTimeout(() => {
          log.warn({ inFlight }, 'drain deadline passed: cutting the connections that are left');
          server.closeAllConnections();
        }, deadlineMs);
        await Promise.all([options.onDrain?.(), finished]);
        await closed;
        clearTimeout(cut);
        clearInterval(sweep);
      })();
      return closing;
    },
  };
}

function routeName(path: string, req: IncomingMessage, options: HttpServerOptions): string {
  if (path === '/livez' || path === '/readyz' || path === '/metrics') return path;
  return options.routeOf?.(req) ?? 'other';
}

function fail(
  res: ServerResponse,
  error: unknown,
  { log, headers }: { log: Logger; headers: Readonly<Record<string, string>> },
): void {
  if (!isAppError(error)) log.error({ err: error }, 'request failed');
  if (res.headersSent) {
    res.destroy();
    return;
  }
  sendError(res, isAppError(error) ? error : new AppError('INTERNAL_SERVER_ERROR', 'Internal server error.'), headers);
}
