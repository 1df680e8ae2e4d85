import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { freeRun } from '../free-run.ts';
import { HttpPool } from '../http-pool.ts';
import { connectInspector, type Inspector } from '../inspector.ts';
import { startPinned, type PinnedProcess } from '../pinned-process.ts';
import { waitForAnswer } from '../wait-for-answer.ts';
import type { Variant } from './variants.ts';

export const routerSettingsSchema = z.object({
  variant: z.string(),
  port: z.number(),
  supergraphFile: z.string(),
  issuer: z.object({
    issuer: z.string(),
    audience: z.string(),
    jwks: z.object({ keys: z.array(z.record(z.string(), z.string())) }),
  }),
  collectorUrl: z.string(),
  manifest: z.string(),
});

export type RouterSettings = z.output<typeof routerSettingsSchema>;

export interface RunningVariant {
  variant: Variant;
  program: PinnedProcess;
  pool: HttpPool;
  /** Of GraphQL. */
  url: string;
  inspector: Inspector | null;
}

const MAIN = fileURLToPath(new URL('router-main.ts', import.meta.url));
const MAX_CONNECTIONS = 1_000;

export async function startVariant(
  variant: Variant,
  core: number,
  settings: Omit<RouterSettings, 'variant' | 'port'>,
  inspected: boolean,
): Promise<RunningVariant> {
  const port = await freeRun(1);
  const inspectPort = inspected ? await freeRun(1) : null;
  const program = startPinned({
    name: `the router with '${variant.name}'`,
    core,
    command: [
      process.execPath,
      ...(inspectPort === null ? [] : [`--inspect=127.0.0.1:${inspectPort}`]),
      MAIN,
      JSON.stringify({ ...settings, variant: variant.name, port }),
    ],
  });
  const base = `http://127.0.0.1:${port}`;
  await waitForAnswer(`${base}/readyz`, program);
  const inspector = inspectPort === null ? null : await connectInspector(inspectPort);
  return { variant, program, pool: new HttpPool(base, MAX_CONNECTIONS), url: `${base}/graphql`, inspector };
}
