import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EnvError, envField, envFields, parseEnv } from '@timbre/platform/env';
import type { EnvSource } from '@timbre/platform/env';
import { z } from 'zod';
import type { IssuerSettings } from './auth/start-authentication.ts';

export const USAGE = `Usage:
  npm run router -- --supergraph FILE|URL [--config FILE] [--port N] [--host H] [--check]
                    [--max-cost N] [--max-depth N] [--max-aliases N]

Serves a federated graph at /graphql, over HTTP and graphql-transport-ws.

With --supergraph: any supergraph, open to everybody unless a configuration says otherwise. Cost off,
depth 100, aliases 1,000; no CSRF prevention, no bound on introspection. Tokens count only where
AUTH_ISSUER is set. Without it: Timbre's own graph, configured by router/router.yaml and the environment;
this is what "npm start" runs.

  --supergraph S      the composed supergraph (SDL): a file or an http(s) URL. It is watched: a changed one is
                      served without a restart, a bad one is refused and logged
  --config FILE       a router.yaml; flags and environment go before what it says              (ROUTER_CONFIG)
  --check             reads configuration and supergraph, says what is wrong with them, and ends
  --config-schema     prints the JSON schema of router.yaml, for editors
  --port N            default 4000; 0: chosen by the system            (PORT)
  --host H            default 127.0.0.1                                (HOST)
  --max-cost N        refuse operations of a higher estimated cost
  --max-depth N       refuse operations with more levels of fields
  --max-aliases N     refuse operations with more aliased fields
  --help              this text

Environment, in both cases:
  SUBGRAPH_URL_<NAME>   the address of a subgraph, instead of the supergraph's
  AUTH_ISSUER           exact issuer of the tokens to trust; AUTH_AUDIENCE must be set with it
  AUTH_JWKS_URL         its keys; found by OpenID discovery otherwise
  AUTH_CLAIMS_NAMESPACE what the names of its own claims begin with: <namespace>roles, <namespace>email
  AUTH_LOGOUT_AUDIENCE  the client id that its logout tokens name; they are taken at /auth/backchannel-logout
  DATA_DIR              where the busiest operations are kept, to be planned before the next start is ready
  REDIS_URL             where query plans are kept for other routers, too; the bus
  BUS_URL               the bus where there is no Redis: PostgreSQL, with a role that may do no more than LISTEN and NOTIFY
  OTEL_EXPORTER_OTLP_ENDPOINT   where traces go; the other OTEL_* variables hold, too
  LOG_LEVEL             fatal, error, warn, info (default), debug, trace, silent

For Timbre's own graph:
  IDENTITY_SECRET       shared with the subgraphs; signs what they are told of the caller
  SUPERGRAPH            a file or a URL, watched like --supergraph's; default schema/supergraph.graphql
  DATA_DIR              default .timbre; the development issuer's key, the busiest operations and, unless S3_BUCKET
                        is set, the objects
  PUBLIC_URL            what URLs for clients begin with; default http://127.0.0.1:PORT
  CORS_ORIGINS          origins of web clients, separated by commas; Apollo Sandbox is added in development
  NODE_ENV              production: AUTH_ISSUER must be set, no Sandbox, introspection needs schema:introspect`;

interface CommonSettings {
  /** The path of a `router.yaml`; null where nothing is configured by file. */
  config: string | null;
  /** Not to serve anything, but to say what is wrong. */
  check: boolean;
  /** The path of a file, or an http(s) URL. */
  supergraph: string;
  host: string;
  port: number;
  logLevel: z.output<typeof envFields.logLevel>;
  issuer: IssuerSettings | null;
  redisUrl: string | null;
  /** Of PostgreSQL, for a role that may listen and notify. */
  busUrl: string | null;
  /** By the name in upper case, everything but letters and digits as `_`. */
  subgraphUrls: Readonly<Record<string, string>>;
  maxCost: number | null;
  maxDepth: number | null;
  maxAliases: number | null;
}

/** Any supergraph, open to everybody. */
export interface OpenSettings extends CommonSettings {
  profile: 'open';
  dataDir: string | null;
}

/** Timbre's own graph, with all policies on. */
export interface TimbreSettings extends CommonSettings {
  profile: 'timbre';
  production: boolean;
  identitySecret: string;
  dataDir: string;
  publicUrl: string | null;
  corsOrigins: readonly string[];
  /** Objects are files that this process serves. */
  servesMedia: boolean;
}

export type RouterSettings = OpenSettings | TimbreSettings;

const DEFAULT_SUPERGRAPH = fileURLToPath(new URL('../../schema/supergraph.graphql', import.meta.url));
const DEFAULT_CONFIG = fileURLToPath(new URL('../router.yaml', import.meta.url));

const commonShape = {
  ROUTER_CONFIG: envFields.text.optional(),
  LOG_LEVEL: envFields.logLevel.default('info'),
  HOST: envFields.host.default('127.0.0.1'),
  PORT: envFields.port.default(4000),
  // Not a URL field: an issuer is compared exactly, and a trailing slash is part of many.
  AUTH_ISSUER: envFields.text.optional(),
  AUTH_AUDIENCE: envFields.text.optional(),
  AUTH_JWKS_URL: envFields.url.optional(),
  AUTH_CLAIMS_NAMESPACE: envField('a URI such as https://timbre.example/, its last slash included', (text) =>
    URL.canParse(text) ? text : undefined,
  ).optional(),
  AUTH_LOGOUT_AUDIENCE: envFields.text.optional(),
  REDIS_URL: envFields.redisUrl.optional(),
  BUS_URL: envFields.databaseUrl.optional(),
};

const openEnv = z.object({ ...commonShape, DATA_DIR: envFields.text.optional() });

const timbreEnv = z.object({
  ...commonShape,
  NODE_ENV: envFields.nodeEnv.default('development'),
  SUPERGRAPH: envFields.text.default(DEFAULT_SUPERGRAPH),
  IDENTITY_SECRET: envFields.identitySecret,
  DATA_DIR: envFields.text.default('.timbre'),
  PUBLIC_URL: envFields.url.optional(),
  S3_BUCKET: envFields.text.optional(),
  CORS_ORIGINS: envField('origins such as https://app.example.com, separated by commas', originsOf).default([]),
});

const COUNT_FLAGS = ['port', 'max-cost', 'max-depth', 'max-aliases'] as const;

/**
 * What the program was told by flags and environment, or what it was asked to print.
 *
 * @throws EnvError that lists every bad flag or variable
 */
export function parseSettings(args: readonly string[], source: EnvSource): RouterSettings | 'help' | 'config-schema' {
  const flags = parseFlags(args);
  if (flags.help) return 'help';
  if (flags.configSchema) return 'config-schema';
  if (flags.supergraph === undefined) {
    const env = parseEnv(timbreEnv, source);
    return {
      profile: 'timbre',
      ...common(env, flags, source),
      config: flags.config ?? env.ROUTER_CONFIG ?? DEFAULT_CONFIG,
      supergraph: env.SUPERGRAPH,
      production: env.NODE_ENV === 'production',
      identitySecret: env.IDENTITY_SECRET,
      dataDir: env.DATA_DIR,
      publicUrl: env.PUBLIC_URL ?? null,
      corsOrigins: env.CORS_ORIGINS,
      servesMedia: env.S3_BUCKET === undefined,
    };
  }
  // What production must not be without concerns Timbre's own graph.
  const env = parseEnv(openEnv, { ...source, NODE_ENV: undefined });
  return {
    profile: 'open',
    dataDir: env.DATA_DIR ?? null,
    ...common(env, flags, source),
    supergraph: flags.supergraph,
  };
}

type CommonEnv = z.output<z.ZodObject<typeof commonShape>>;

function common(env: CommonEnv, flags: Flags, source: EnvSource): Omit<CommonSettings, 'supergraph'> {
  return {
    config: flags.config ?? env.ROUTER_CONFIG ?? null,
    check: flags.check,
    host: flags.host ?? env.HOST,
    port: flags.counts.port ?? env.PORT,
    logLevel: env.LOG_LEVEL,
    issuer: issuerOf(env),
    redisUrl: env.REDIS_URL ?? null,
    busUrl: env.BUS_URL ?? null,
    subgraphUrls: subgraphUrlsOf(source),
    maxCost: flags.counts['max-cost'] ?? null,
    maxDepth: flags.counts['max-depth'] ?? null,
    maxAliases: flags.counts['max-aliases'] ?? null,
  };
}

function issuerOf(env: CommonEnv): IssuerSettings | null {
  if (env.AUTH_ISSUER === undefined) return null;
  if (env.AUTH_AUDIENCE === undefined) {
    throw new EnvError(['AUTH_AUDIENCE is not set: expected the audience that tokens of AUTH_ISSUER must name']);
  }
  const { AUTH_CLAIMS_NAMESPACE: namespace, AUTH_LOGOUT_AUDIENCE: client } = env;
  return {
    issuer: env.AUTH_ISSUER,
    audiences: [env.AUTH_AUDIENCE],
    jwksUrl: env.AUTH_JWKS_URL,
    ...(client === undefined ? {} : { logoutAudiences: [client] }),
    ...(namespace === undefined
      ? {}
      : { claims: { roles: `${namespace}roles`, email: [`${namespace}email`, 'email'] } }),
  };
}

const SUBGRAPH_URL = 'SUBGRAPH_URL_';

function subgraphUrlsOf(source: EnvSource): Record<string, string> {
  const names = Object.keys(source).filter((name) => name.startsWith(SUBGRAPH_URL));
  const urls = parseEnv(z.object(Object.fromEntries(names.map((name) => [name, envFields.url.optional()]))), source);
  const entries: [string, string][] = [];
  for (const [name, url] of Object.entries(urls)) {
    if (typeof url === 'string') entries.push([name.slice(SUBGRAPH_URL.length), url]);
  }
  return Object.fromEntries(entries);
}

/** The part of `SUBGRAPH_URL_<NAME>` that stands for a subgraph. */
export function subgraphVariable(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}

interface Flags {
  help: boolean;
  check: boolean;
  configSchema: boolean;
  config: string | undefined;
  supergraph: string | undefined;
  host: string | undefined;
  counts: Partial<Record<(typeof COUNT_FLAGS)[number], number>>;
}

function parseFlags(args: readonly string[]): Flags {
  const text = { type: 'string' } as const;
  const options = {
    help: { type: 'boolean', short: 'h' },
    check: { type: 'boolean' },
    'config-schema': { type: 'boolean' },
    config: text,
    supergraph: text,
    host: text,
    port: text,
    'max-cost': text,
    'max-depth': text,
    'max-aliases': text,
  } as const;
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new EnvError([error instanceof Error ? error.message : String(error), 'see --help']);
  }
  const counts: Flags['counts'] = {};
  const problems: string[] = [];
  for (const name of COUNT_FLAGS) {
    const value = values[name];
    if (value === undefined) continue;
    const minimum = name === 'port' ? 0 : 1;
    const maximum = name === 'port' ? 65_535 : Number.MAX_SAFE_INTEGER;
    const count = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (count >= minimum && count <= maximum) counts[name] = count;
    else problems.push(`--${name} is ${JSON.stringify(value)}: expected a whole number from ${minimum}`);
  }
  if (problems.length > 0) throw new EnvError(problems);
  return {
    help: values.help ?? false,
    check: values.check ?? false,
    configSchema: values['config-schema'] ?? false,
    config: values.config,
    supergraph: values.supergraph,
    host: values.host,
    counts,
  };
}

function originsOf(text: string): string[] | undefined {
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every((origin) => URL.parse(origin)?.origin === origin) ? origins : undefined;
}
