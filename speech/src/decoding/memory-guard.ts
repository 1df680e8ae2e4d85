/**
 * Worker that ends its whole process when that takes too much memory. Sound and WASM lie outside of the JavaScript heap, so
 * V8's limit does not see them, and the decoder's own thread is busy. Says 'watching' once it watches.
 */
import { parentPort, workerData } from 'node:worker_threads';

const CHECK_EVERY_MS = 20;
const limit: unknown = workerData;
if (typeof limit !== 'number') throw new TypeError('The guard is started with a number of bytes');

const check = (): void => {
  if (process.memoryUsage.rss() > limit) process.kill(process.pid, 'SIGKILL');
};
setInterval(check, CHECK_EVERY_MS);
check();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port has no origin
parentPort?.postMessage('watching');
