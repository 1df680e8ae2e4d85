import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { platform } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { listen } from './listen.ts';
import type { Listening } from './listen.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function start(listeners: number, port = 0): Promise<Listening & { server: Server }> {
  const server = createServer((_req, res) => void res.end('ok'));
  const listening = await listen(server, { port, host: '127.0.0.1', listeners });
  stops.push(async () => {
    server.closeAllConnections();
    await listening.close();
  });
  return { ...listening, server };
}

/** Turns of the event loop in which so many are accepted that connect at once. */
async function turnsFor(clients: number, { server, port }: { server: Server; port: number }): Promise<number> {
  const seen = { clients: 0 };
  server.on('connection', () => (seen.clients += 1));
  const sockets = Array.from({ length: clients }, () => connect(port, '127.0.0.1'));
  let turns = 0;
  for (; seen.clients < clients; turns += 1) await nextTurn();
  for (const socket of sockets) socket.destroy();
  return turns;
}

// Other systems do not share connections among listeners.
test.runIf(platform() === 'linux')('of more listeners more clients are accepted in a turn', async () => {
  expect(await turnsFor(200, await start(1))).toBeGreaterThanOrEqual(200);
  expect(await turnsFor(200, await start(8))).toBeLessThan(100);
});

test('whichever listener has accepted a client, it is answered', async () => {
  const { port } = await start(8);
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })),
  );
  expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(Array.from({ length: 40 }, () => 'ok'));
});

test.each([1, 8])('with %i listeners, a port that is taken is an error', async (listeners) => {
  const { port } = await start(8);
  await expect(start(listeners, port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('closed, all listeners are, and it waits for the connections of each', async () => {
  const { port, close, server } = await start(8);
  const accepted = acceptedBy(server, 20);
  const sockets = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
  await accepted;
  let isClosed = false;
  const closing = close().then(() => (isClosed = true));
  await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(isClosed).toBe(false);
  for (const socket of sockets) socket.destroy();
  await closing;
});

function acceptedBy(server: Server, count: number): Promise<void> {
  let accepted = 0;
  return new Promise((resolve) => {
    server.on('connection', () => {
      accepted += 1;
      if (accepted === count) resolve();
    });
  });
}
