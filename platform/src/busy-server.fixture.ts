import { parentPort, workerData } from 'node:worker_threads';
import { startHttpServer } from './http-server.ts';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';

// A server that, once it listens, does nothing until it is told to go on.
const server = await startHttpServer({
  port: 0,
  host: '127.0.0.1',
  handler: (_req, res) => void res.end('ok'),
  ready: () => undefined,
  metrics: createMetrics({ service: 'test' }),
  log: createLogger({ name: 'test', level: 'silent' }),
});
parentPort?.postMessage(server.port, []);
if (workerData instanceof Int32Array) Atomics.wait(workerData, 0, 0);
