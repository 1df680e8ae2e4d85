import { readFileSync } from 'node:fs';
import { startHttpServer } from '@timbre/platform/http-server';
import { createLogger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { createRouter } from '@timbre/router/router';
import { routerSettingsSchema } from './start-variant.ts';
import { VARIANTS } from './variants.ts';

// A router with one variant's policies. Argument: what `startVariant` passes as JSON.
const settings = routerSettingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
const variant = VARIANTS.find(({ name }) => name === settings.variant);
if (variant === undefined) throw new Error(`There is no variant ${settings.variant}.`);

const log = createLogger({ name: 'router', level: 'warn' });
const metrics = createMetrics({ service: 'router' });
const { issuer, collectorUrl, manifest } = settings;
const router = await createRouter({
  supergraph: readFileSync(settings.supergraphFile, 'utf8'),
  log,
  registry: metrics.registry,
  ...(await variant.options({ issuer, collectorUrl, manifest, log, registry: metrics.registry })),
});
await startHttpServer({
  port: settings.port,
  host: '127.0.0.1',
  metrics,
  log,
  ready: () => undefined,
  handler: router.handle,
});
