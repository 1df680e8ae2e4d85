import { createIdentitySigner } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import { openTracing } from '@timbre/platform/telemetry/open-tracing';
import { createIdentitySource } from '@timbre/router/auth/identity-source';
import { startAuthentication, type IssuerSettings } from '@timbre/router/auth/start-authentication';
import type { RouterOptions } from '@timbre/router/router-options';
import type { RequestKind } from './requests.ts';

/** What a variant's options are made with, in the router's own process. */
export interface Surroundings {
  issuer: { issuer: string; audience: string; jwks: NonNullable<IssuerSettings['jwks']> };
  /** Where nothing answers but 200. */
  collectorUrl: string;
  /** The documents that may be run. */
  manifest: string;
  log: Logger;
  registry: NonNullable<RouterOptions['registry']>;
}

/**
 * `costs`: what an operation may cost; `budgets`: the same, and what a caller may spend; `browsers`: CSRF prevention, CORS and the headers that browsers heed; `documents`: only what is on a list, named by its hash;
 * `cache-missed`, `cache-hit`: nothing, or everything, is in the response cache; `traces`: of one request in a hundred.
 * `all-…`: all of them but compression.
 */
export interface Variant {
  name: string;
  /** The variant that it is compared with. */
  against: string;
  requests: RequestKind;
  /** Its supergraph has scopes and list sizes. */
  annotated: boolean;
  options: (around: Surroundings) => Partial<RouterOptions> | Promise<Partial<RouterOptions>>;
}

export const OFF = 'off';

const SECRET = 'an identity secret of the bench alone';
const ANYTHING = 1_000_000;

const tokens: Variant['options'] = ({ issuer: { issuer, audience, jwks }, log }) => ({
  authenticate: startAuthentication({
    issuers: [{ issuer, audiences: [audience], jwks }],
    users: null,
    bus: null,
    log,
  }).authenticate,
  identityOf: createIdentitySource(createIdentitySigner(SECRET)),
});
const costs = (): Partial<RouterOptions> => ({ demand: { mode: 'enforce', maximum: { default: ANYTHING } } });
const budgets = (): Partial<RouterOptions> => ({
  demand: {
    mode: 'enforce',
    maximum: { default: ANYTHING },
    budget: { default: { limit: ANYTHING, restoreRate: ANYTHING } },
    tell: true,
  },
});
const rates = (): Partial<RouterOptions> => ({
  rates: { perPrincipal: ANYTHING, perAddress: ANYTHING, operations: { Q: ANYTHING } },
});
const concurrency = (): Partial<RouterOptions> => ({ concurrency: { operations: ANYTHING, subscriptions: ANYTHING } });
const accessLog = (): Partial<RouterOptions> => ({ accessLog: {} });
const documents: Variant['options'] = ({ manifest }) => ({
  documents: { automatic: {}, trusted: { manifest, mode: 'enforce-ids' } },
});
const cache = (): Partial<RouterOptions> => ({ responseCache: {} });
const browsers = (): Partial<RouterOptions> => ({
  csrfPrevention: true,
  cors: { origins: ['https://app.example.com'] },
  https: true,
  batching: { maximum: 10 },
});
const traced: Variant['options'] = async ({ collectorUrl, log, registry }) => ({
  tracing: await openTracing(
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.01',
    },
    { service: 'router', log, registry },
  ),
});

const alone = (
  name: string,
  options: Variant['options'],
  rest: Partial<Pick<Variant, 'against' | 'requests' | 'annotated'>> = {},
): Variant => ({ name, against: OFF, requests: {}, annotated: false, options, ...rest });

const ALL_BUT_CACHE = [tokens, budgets, rates, concurrency, documents, browsers, accessLog, traced];
const EVERYTHING = { requests: { byHash: true }, annotated: true } as const;

const together = (...each: Variant['options'][]): Variant['options'] => {
  return async (around) => Object.assign({}, ...(await Promise.all(each.map(async (options) => options(around)))));
};

export const VARIANTS: readonly Variant[] = [
  alone(OFF, () => ({})),
  alone('authentication', tokens),
  alone('authorization', tokens, { against: 'authentication', annotated: true }),
  alone('costs', costs),
  alone('budgets', budgets),
  alone('rates', rates),
  alone('concurrency', concurrency),
  alone('documents', documents, { requests: { byHash: true } }),
  alone('cache-missed', cache),
  alone('cache-hit', cache, { requests: { repeated: true } }),
  alone('browsers', browsers),
  alone('access-log', accessLog),
  alone('traces', traced),
  alone('compression', () => ({ compression: true }), { requests: { compressed: true } }),
  alone('all-but-cache', together(...ALL_BUT_CACHE), EVERYTHING),
  alone('all-missed', together(...ALL_BUT_CACHE, cache), EVERYTHING),
  alone('all-hit', together(...ALL_BUT_CACHE, cache), { ...EVERYTHING, requests: { byHash: true, repeated: true } }),
];
