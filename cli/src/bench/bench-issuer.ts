import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDevIssuer, type DevIssuer } from '@timbre/platform/dev-issuer';
import { freeRun } from './free-run.ts';

export interface BenchIssuer {
  sign: DevIssuer['sign'];
  /** What the router must be told to trust it. */
  env: Record<string, string>;
  close(): Promise<void>;
}

/** An issuer of tokens with its keys behind HTTP, as the router meets one in production. */
export async function startIssuer(): Promise<BenchIssuer> {
  const directory = await mkdtemp(join(tmpdir(), 'timbre-bench-issuer-'));
  const issuer = await loadDevIssuer(directory);
  const keys = JSON.stringify(issuer.jwks);
  const server = createServer((_req, res) => res.setHeader('content-type', 'application/json').end(keys));
  const port = await freeRun(1);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    sign: (options) => issuer.sign(options),
    env: {
      AUTH_ISSUER: issuer.issuer,
      AUTH_AUDIENCE: issuer.audience,
      AUTH_JWKS_URL: `http://127.0.0.1:${port}/jwks.json`,
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
