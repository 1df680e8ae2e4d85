import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { freeRun } from '../free-run.ts';
import { HttpPool } from '../http-pool.ts';
import { startPinned, type PinnedProcess } from '../pinned-process.ts';
import { readMetric } from '../read-metric.ts';
import { waitForAnswer } from '../wait-for-answer.ts';

export const cachedRouterSchema = z.object({
  port: z.number(),
  supergraphFile: z.string(),
  issuer: z.object({
    issuer: z.string(),
    audience: z.string(),
    jwks: z.object({ keys: z.array(z.record(z.string(), z.string())) }),
  }),
  caches: z.boolean(),
  /** Null: what it keeps, it keeps for itself. */
  redisUrl: z.string().nullable(),
  /** By mutations' fields, as in a `router.yaml`. */
  mutations: z.record(z.string(), z.object({ returnedOnly: z.boolean() })).default({}),
});

export type CachedRouterInput = z.input<typeof cachedRouterSchema>;

export interface CachedRouter {
  program: PinnedProcess;
  pool: HttpPool;
  metric(name: string, label?: string): Promise<number>;
}

const MAIN = fileURLToPath(new URL('router-main.ts', import.meta.url));
const MAX_CONNECTIONS = 1_000;

export async function startCachedRouter(
  core: number,
  settings: Omit<CachedRouterInput, 'port'>,
): Promise<CachedRouter> {
  const port = await freeRun(1);
  const program = startPinned({
    name: 'the router',
    core,
    command: [process.execPath, MAIN, JSON.stringify({ ...settings, port })],
  });
  const base = `http://127.0.0.1:${port}`;
  await waitForAnswer(`${base}/readyz`, program);
  return {
    program,
    pool: new HttpPool(base, MAX_CONNECTIONS),
    metric: (name, label) => readMetric(base, name, label),
  };
}
