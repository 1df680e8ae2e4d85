import { createJobs } from '../jobs.ts';
import { silentLog } from '../log.ts';

/** A worker that takes one job, says so, and never ends it. Its parent kills it. */
const [url = ''] = process.argv.slice(2);
const jobs = createJobs({ url, log: silentLog });
await jobs.start();
await jobs.work('voices.fit', {}, async ({ id }) => {
  process.stdout.write(`${id}\n`);
  await new Promise(() => {});
});
