import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { envFields, parseEnv } from '../env.ts';
import { runService } from '../process.ts';

/** A service for the tests of `process.ts`: it says when it is up, and takes 100 ms to drain. */
await runService(async (source) => {
  parseEnv(z.object({ PORT: envFields.port, LOG_LEVEL: envFields.logLevel.default('info') }), source);
  const alive = setInterval(() => undefined, 1_000);
  process.stdout.write('up\n');
  return {
    async close() {
      process.stdout.write('draining\n');
      await delay(100);
      clearInterval(alive);
      process.stdout.write('drained\n');
    },
  };
});
