/**
 * Worker that ends its whole process when that takes too much memory. Sound and WASM lie outside of the JavaScript heap, so
 * V8's limit does not see them, and the decoder's own thread is busy.
 */
import { workerData } from 'node:worker_threads';

import { z } from 'zod';

const CHECK_EVERY_MS = 20;
const limit = z.number().parse(workerData);

setInterval(() => {
  if (process.memoryUsage.rss() > limit) process.kill(process.pid, 'SIGKILL');
}, CHECK_EVERY_MS);
