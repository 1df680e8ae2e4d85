import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { AppError } from './errors.ts';
import { startHttpServer } from './http-server.ts';
import type { HttpServer, HttpServerOptions } from './http-server.ts';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close({ deadlineMs: 0 })));
});

async function start(options: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
  const server = await startHttpServer({
    port: 0,
    host: '127.0.0.1',
    handler: (_req, res) => void res.end('ok'),
    ready: () => undefined,
    metrics: createMetrics({ service: 'test' }),
    log,
    ...options,
  });
  servers.push(server);
  return server;
}

test('it is alive, and ready only while its parts are', async () => {
  let broken = false;
  const server = await start({
    ready: async () => {
      if (broken) throw new Error('no database');
    },
  });
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  broken = true;
  const response = await fetch(`${server.url}/readyz`);
  expect(response.status).toBe(503);
  expect(await response.text()).not.toContain('no database');
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
});

test('it counts its requests by route and status', async () => {
  const server = await start({ routeOf: () => '/graphql' });
  await (await fetch(`${server.url}/graphql?x=1`)).text();
  const text = await (await fetch(`${server.url}/metrics`)).text();
  expect(text).toContain('timbre_http_request_duration_seconds_count{service="test",route="/graphql",status="200"} 1');
  expect(text).toContain('process_resident_memory_bytes');
});

test('an error of ours is answered by its code, any other is masked', async () => {
  const server = await start({
    handler(req) {
      throw req.url === '/ours' ? new AppError('NOT_FOUND', 'Nothing here.') : new Error('select secret from users');
    },
  });
  const ours = await fetch(`${server.url}/ours`);
  expect([ours.status, await ours.json()]).toEqual([404, { error: { code: 'NOT_FOUND', message: 'Nothing here.' } }]);
  const masked = await fetch(`${server.url}/other`);
  expect([masked.status, await masked.json()]).toEqual([
    500,
    { error: { code: 'INTERNAL_SERVER_ERROR', message: 'Internal server error.' } },
  ]);
});

test('a client that resets the connection while it asks for an upgrade harms nobody', async () => {
  const closed = Promise.withResolvers<void>();
  const server = await start({
    upgrade(_req, socket) {
      socket.once('close', () => closed.resolve());
      client.resetAndDestroy();
    },
  });
  const client = connect(server.port, '127.0.0.1');
  client.write('GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  await closed.promise;
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
});

test('draining, it accepts nobody, finishes what is in flight, then closes the rest', async () => {
  const order: string[] = [];
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const server = await start({
    async handler(_req, res) {
      started.resolve();
      await finish.promise;
      order.push('answered');
      res.end('done');
    },
    onDrain: async () => void order.push('websockets'),
  });
  // One connection is idle in the pool, as the router's are.
  const agent = new Agent({ keepAlive: true });
  const idle = Promise.withResolvers<void>();
  get(`${server.url}/livez`, { agent }, (res) => void res.resume().once('end', idle.resolve));
  await idle.promise;

  const response = fetch(server.url);
  await started.promise;
  const closed = server.close().then(() => order.push('closed'));
  await expect(fetch(`${server.url}/livez`)).rejects.toThrow('fetch failed');
  expect(order).toEqual([]);
  finish.resolve();
  expect(await (await response).text()).toBe('done');
  await closed;
  expect(order).toEqual(['answered', 'websockets', 'closed']);
  agent.destroy();
});

test('a request that outlasts the deadline is cut', async () => {
  const started = Promise.withResolvers<void>();
  const server = await start({ handler: () => started.resolve() });
  const outcome = fetch(server.url).then(
    () => 'answered',
    () => 'cut',
  );
  await started.promise;
  await server.close({ deadlineMs: 20 });
  expect(await outcome).toBe('cut');
});

test('a taken port is an error of the start', async () => {
  const { port } = await start();
  await expect(start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
