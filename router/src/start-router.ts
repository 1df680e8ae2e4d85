import { join } from 'node:path';
import type { Bus } from '@timbre/platform/bus/bus';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { EnvError } from '@timbre/platform/env';
import type { EnvSource } from '@timbre/platform/env';
import { startHttpServer } from '@timbre/platform/http-server';
import type { HttpHandler, HttpServer } from '@timbre/platform/http-server';
import type { VersionedStore } from '@timbre/platform/cache/versioned-store';
import { createIdentitySigner } from '@timbre/platform/identity';
import { createLogger } from '@timbre/platform/logger';
import type { Logger } from '@timbre/platform/logger';
import { createMetrics } from '@timbre/platform/metrics';
import { openBus, openShared, openVersionedStore } from '@timbre/platform/services';
import type { SharedServices } from '@timbre/platform/services';
import { openTracing } from '@timbre/platform/telemetry/open-tracing';
import { createFsStore } from '@timbre/platform/storage/fs-store';
import { createMediaHandler, isMediaPath } from '@timbre/platform/storage/media-handler';
import { createUrlSigner } from '@timbre/platform/storage/url-signer';
import { authenticateNobody } from './auth/authenticator.ts';
import { createIdentitySource } from './auth/identity-source.ts';
import { startAuthentication } from './auth/start-authentication.ts';
import type { Authentication, IssuerSettings } from './auth/start-authentication.ts';
import { followConfiguration } from './configuration/follow-configuration.ts';
import { policiesOf } from './configuration/policies-of.ts';
import { readConfiguration } from './configuration/read-configuration.ts';
import type { RouterConfiguration } from './configuration/router-configuration.ts';
import { openDocuments } from './documents/open-documents.ts';
import type { OpenDocuments } from './documents/open-documents.ts';
import { subgraphVariable } from './env.ts';
import type { RouterSettings, TimbreSettings } from './env.ts';
import { createRouter } from './router.ts';
import { GRAPHQL_PATH, isOfThisMachine, pathOf, routeRequests } from './route-requests.ts';
import type { RouterOptions } from './router-options.ts';
import { textSource } from './sources/text-source.ts';
import type { TextSource } from './sources/text-source.ts';
import { watchSource } from './sources/watch-source.ts';
import { securityHeaders } from './transports/http/security-headers.ts';
import { usageHandler } from './telemetry/usage-handler.ts';
import { landingPage } from './transports/http/landing-page.ts';

/** Clients come by thousands at once when a router before it has gone. */
const LISTENERS = 16;
/** What a router takes from a changed configuration without a restart. */
const CHANGEABLE: readonly (keyof RouterConfiguration)[] = [
  'introspection',
  'limits',
  'rates',
  'concurrency',
  'demand',
  'documents',
  'authorization',
  'batching',
  'compression',
  'csrfPrevention',
  'cors',
  'subgraphErrors',
];

/** The router as a program: its HTTP server with health, metrics, drain and, for the filesystem store, media. */
export async function startRouter(settings: RouterSettings, variables: EnvSource): Promise<HttpServer> {
  const log = createLogger({ name: 'router', level: settings.logLevel });
  const metrics = createMetrics({ service: 'router' });
  const configuration = settings.config === null ? {} : await readConfiguration(settings.config, variables);
  const source = textSource(settings.supergraph);
  const supergraph = await readSupergraph(source);
  const media = settings.profile === 'timbre' && settings.servesMedia ? await mediaHandler(settings, log) : null;

  const tracing = await openTracing(variables, { service: 'router', log, registry: metrics.registry });
  const shared = settings.redisUrl === null ? null : await openShared(settings.redisUrl, log);
  let documents = await documentsOf(configuration, settings, shared);
  const store = await storeOf(configuration, settings, log);
  const bus = await busOf(settings, log);
  const authentication = await authenticationOf(settings, configuration, { bus, log });

  const router = await createRouter({
    supergraph,
    subgraphUrl: (name) => settings.subgraphUrls[subgraphVariable(name)],
    ...policiesOf(configuration, settings),
    authenticate: authentication?.authenticate ?? authenticateNobody,
    credentialHeaders: authentication?.credentialHeaders ?? [],
    log,
    registry: metrics.registry,
    tracing,
    ...(shared !== null && { planCache: shared.cache, limiter: shared.relaxedLimiter, buckets: shared.buckets }),
    documents: documents?.options ?? null,
    ...(store !== null && { responseCache: { ...configuration.responseCache, store } }),
    ...(bus === null ? {} : { bus }),
    ...(settings.dataDir === null ? {} : { hotOperationsFile: join(settings.dataDir, 'hot-operations.json') }),
    ...ownGraph(settings),
    https: isHttps(settings),
  });

  const headers = securityHeaders({ https: isHttps(settings) });
  let draining = false;
  const server = await startHttpServer({
    port: settings.port,
    host: settings.host,
    listeners: LISTENERS,
    metrics,
    log,
    ready: () => undefined,
    headers,
    lameDuckMs: configuration.lameDuckMs ?? 0,
    handler: routeRequests(
      {
        graphql: router.handle,
        media,
        logOut: authentication?.logOut ?? null,
        usage: usageHandler(router.usage),
        invalidate: router.invalidate,
      },
      { headers, ready: () => !draining },
    ),
    routeOf: (req) => (pathOf(req) === GRAPHQL_PATH ? GRAPHQL_PATH : isMediaPath(pathOf(req)) ? 'media' : 'other'),
    upgrade(req, socket, head) {
      if (pathOf(req) === GRAPHQL_PATH) router.upgrade(req, socket, head);
      else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    },
    metricsFor: isOfThisMachine,
    onDrain: () => router.drain(),
  });
  // A supergraph that is refused has been told of where it was refused.
  const onChange = (sdl: string) => router.reload(sdl).catch(() => undefined);
  const watch = watchSource(source, { log, onChange });
  let documentsWatch = documents?.follow(router.trust, log);
  const configWatch =
    settings.config === null
      ? null
      : followConfiguration(settings.config, {
          present: configuration,
          variables,
          changeable: CHANGEABLE,
          async apply(next) {
            documents = await documentsOf(next, settings, shared);
            await router.configure({ ...policiesOf(next, settings), documents: documents?.options ?? null });
            documentsWatch?.close();
            documentsWatch = documents?.follow(router.trust, log);
          },
          log,
        });
  log.info({ url: `${server.url}${GRAPHQL_PATH}`, watching: source.name }, 'the router listens');

  return {
    ...server,
    async close(options) {
      draining = true;
      watch.close();
      configWatch?.close();
      documentsWatch?.close();
      await server.close(options);
      await Promise.all([router.close(), authentication?.close(), shared?.close(), store?.close()]);
      await bus?.close();
      await tracing?.close();
    },
  };
}

/** Without one a router knows of no changes but those that it has seen, or was told of by the bus. */
async function storeOf(
  { responseCache }: RouterConfiguration,
  { redisUrl }: RouterSettings,
  log: Logger,
): Promise<VersionedStore | null> {
  return responseCache === undefined || redisUrl === null ? null : openVersionedStore(redisUrl, log);
}

async function documentsOf(
  { documents }: RouterConfiguration,
  { config }: RouterSettings,
  shared: SharedServices | null,
): Promise<OpenDocuments | null> {
  if (documents === undefined || config === null) return null;
  return openDocuments(documents, { file: config, shared: shared?.cache ?? null });
}

async function busOf({ redisUrl, busUrl }: RouterSettings, log: Logger): Promise<Bus | null> {
  if (redisUrl === null && busUrl === null) return null;
  return openBus({ DATABASE_URL: busUrl ?? '', REDIS_URL: redisUrl ?? undefined }, { log });
}

async function readSupergraph(source: TextSource): Promise<string> {
  try {
    return (await source.read()) ?? '';
  } catch (error) {
    throw new EnvError([
      `The supergraph ${source.name} cannot be read: ${error instanceof Error ? error.message : 'unknown'}`,
    ]);
  }
}

/** What differs between Timbre's own graph and any other. */
function ownGraph(settings: RouterSettings): Partial<RouterOptions> {
  const page = (graphqlUrl: string, tokenCommand: string | null) => landingPage({ graphqlUrl, tokenCommand });
  if (settings.profile === 'open') {
    return {
      landingPage: (req) => page(`http://${req.headers.host ?? 'localhost'}${GRAPHQL_PATH}`, null),
    };
  }
  const { production, issuer } = settings;
  const tokenCommand = issuer === null ? 'npm run -s token' : null;
  const publicUrl = settings.publicUrl ?? `http://127.0.0.1:${settings.port}`;
  return {
    identityOf: createIdentitySource(createIdentitySigner(settings.identitySecret)),
    landingPage: production ? null : () => page(`${publicUrl}${GRAPHQL_PATH}`, tokenCommand),
  };
}

/** Null where nobody's tokens are trusted: everybody is anonymous. */
async function authenticationOf(
  settings: RouterSettings,
  { authentication }: RouterConfiguration,
  services: { bus: Bus | null; log: Logger },
): Promise<Authentication | null> {
  const trusted = [...(settings.issuer === null ? [] : [settings.issuer]), ...(authentication?.issuers ?? [])];
  if (settings.profile === 'open') {
    return trusted.length === 0 ? null : startAuthentication({ issuers: trusted, users: null, ...services });
  }
  const { subgraphUrls, identitySecret } = settings;
  const url = subgraphUrls['USERS'];
  if (url === undefined) throw new EnvError(['SUBGRAPH_URL_USERS is not set: expected the URL of the users subgraph']);
  const issuers = settings.issuer === null ? [...trusted, await devIssuer(settings.dataDir)] : trusted;
  return startAuthentication({ issuers, users: { url, identitySecret }, ...services });
}

async function devIssuer(dataDir: string): Promise<IssuerSettings> {
  const { issuer, audience, jwks } = await loadDevIssuer(dataDir);
  return { issuer, audiences: [audience], jwks };
}

async function mediaHandler(settings: TimbreSettings, log: Logger): Promise<HttpHandler> {
  const signer = createUrlSigner(settings.identitySecret);
  const publicUrl = settings.publicUrl ?? `http://127.0.0.1:${settings.port}`;
  const store = await createFsStore({ root: join(settings.dataDir, 'objects'), publicUrl, signer });
  return createMediaHandler({ store, signer, log });
}

function isHttps(settings: RouterSettings): boolean {
  return settings.profile === 'timbre' && settings.publicUrl?.startsWith('https:') === true;
}
