import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CommandError } from '../run-command.ts';

export interface LoadOptions {
  url: string;
  /** The Lua script that makes the requests. */
  script: string;
  core: number;
  connections: number;
  seconds: number;
  token: string;
}

const loadSchema = z.object({
  requests: z.number(),
  seconds: z.number(),
  failed: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
});

export type Load = z.infer<typeof loadSchema>;

const MEASURED = fileURLToPath(new URL('router/measured.lua', import.meta.url));

/** @throws CommandError that says how to get it */
export function requireWrk(): void {
  if (spawnSync('wrk', ['-v']).error)
    throw new CommandError('wrk makes the load and is not on PATH. On Debian: apt-get install wrk', 2);
}

/** Keeps `connections` requests under way for `seconds`. @throws CommandError when one failed or was not answered by 2xx */
export async function wrk({ url, script, core, connections, seconds, token }: LoadOptions): Promise<Load> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', MEASURED, url];
  const child = spawn('taskset', ['-c', String(core), 'wrk', ...args], {
    env: { PATH: process.env['PATH'], BENCH_SCRIPT: script, BENCH_TOKEN: token },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new CommandError(`wrk gave no result:\n${output}`);
  const load = loadSchema.parse(JSON.parse(line));
  if (load.failed > 0 || load.requests === 0)
    throw new CommandError(`${load.failed} of ${load.requests} requests to ${url} failed.`);
  return load;
}
