import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { platform } from 'node:os';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { AppError } from './errors.ts';
import { readBody } from './http-body.ts';
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

test('draining, it accepts nobody, ends what does not end by itself, and finishes what is in flight', async () => {
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
  expect(order).toEqual(['websockets']);
  finish.resolve();
  expect(await (await response).text()).toBe('done');
  await closed;
  expect(order).toEqual(['websockets', 'answered', 'closed']);
  agent.destroy();
});

test('told to close, it first takes requests as a lame duck, not ready and ending each connection', async () => {
  const drained = Promise.withResolvers<void>();
  const server = await start({ lameDuckMs: 2_000, onDrain: async () => drained.resolve() });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (path: string) =>
    new Promise<{ status: number | undefined; connection: string | undefined; reused: boolean }>((resolve, reject) => {
      const asking = get(`${server.url}${path}`, { agent }, (res) => {
        const { statusCode: status, headers } = res;
        res
          .resume()
          .once('end', () => resolve({ status, connection: headers.connection, reused: asking.reusedSocket }));
      }).on('error', reject);
    });
  expect(await ask('/')).toMatchObject({ status: 200, connection: 'keep-alive' });
  const closed = server.close();
  expect(await ask('/readyz')).toEqual({ status: 503, connection: 'close', reused: true });
  expect(await ask('/')).toEqual({ status: 200, connection: 'close', reused: false });
  await drained.promise;
  await expect(ask('/')).rejects.toThrow('ECONNREFUSED');
  await closed;
  agent.destroy();
});

test('more headers than it reads are 431, and what is not HTTP is 400', async () => {
  const server = await start();
  const say = async (text: string) => {
    const client = connect(server.port, '127.0.0.1');
    client.on('error', () => undefined).write(text);
    let answer = '';
    for await (const part of client) answer += String(part);
    return answer.split('\r\n', 1)[0];
  };
  const head = 'GET / HTTP/1.1\r\nhost: x\r\n';
  expect(await say(`${head}x: ${'a'.repeat(100_000)}\r\n\r\n`)).toContain(' 431 ');
  expect(await say(`${head}${'x: y\r\n'.repeat(20_000)}\r\n`)).toContain(' 431 ');
  for (const nonsense of [
    'nonsense\r\n\r\n',
    `${head}content-length: 1\r\ncontent-length: 2\r\n\r\nxx`,
    `${head}content-length: -1\r\n\r\n`,
    `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${head}transfer-encoding: chunked, identity\r\n\r\n`,
  ]) {
    expect(await say(nonsense), nonsense).toContain(' 400 ');
  }
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
});

test('who sends a head byte by byte, or nothing at all, is cut, and who sends a body so is told', async () => {
  const server = await start({
    async handler(req, res) {
      res.end((await readBody(req, 1_000, { timeoutMs: 300 })).toString());
    },
  });
  const told = (lines: string) => {
    const socket = connect(server.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (part) => (answer += part.toString()));
    socket.on('error', () => undefined);
    socket.write(lines);
    const dripping = setInterval(() => socket.write('x'), 50);
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.on('close', () => {
      clearInterval(dripping);
      resolve(answer);
    });
    return promise;
  };
  const body = await told('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\nx');
  expect(body).toMatch(/^HTTP\/1\.1 400 [^]*The body was not there after 0\.3 s\./);
  const [head, silent] = await Promise.all([told('GET / HTTP/1.1\r\nhost: a\r\nslow: '), saidToTheSilent(server.port)]);
  expect(head).toContain('HTTP/1.1 408');
  expect(silent).toContain('HTTP/1.1 408');
});

test('its own answers have the headers that it is given', async () => {
  const server = await start({
    headers: { 'x-content-type-options': 'nosniff' },
    handler() {
      throw new AppError('NOT_FOUND', 'Nothing here.');
    },
  });
  for (const path of ['/livez', '/readyz', '/metrics', '/']) {
    expect((await fetch(server.url + path)).headers.get('x-content-type-options'), path).toBe('nosniff');
  }
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

/** A connection on which nothing is said: what it is told before it is closed. */
function saidToTheSilent(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (part) => (answer += part.toString()));
  socket.on('close', () => resolve(answer));
  return promise;
}

test('clients that come all at once are connected while it is busy', async () => {
  const held = new Int32Array(new SharedArrayBuffer(4));
  const busy = new Worker(new URL('./busy-server.fixture.ts', import.meta.url), { workerData: held });
  const [port] = z.tuple([z.number()]).parse(await once(busy, 'message'));
  // Other systems let fewer wait.
  const many = platform() === 'linux' ? 1_000 : 100;
  const sockets = Array.from({ length: many }, () => connect(port, '127.0.0.1'));
  try {
    const connected = await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    expect(connected).toHaveLength(many);
  } finally {
    for (const socket of sockets) socket.destroy();
    Atomics.store(held, 0, 1);
    Atomics.notify(held, 0);
    await busy.terminate();
  }
});
