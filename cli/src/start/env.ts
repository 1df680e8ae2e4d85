import { resolve } from 'node:path';
import { envField, envFields, parseEnv, type EnvSource } from '@timbre/platform/env';
import { z } from 'zod';

/** What `npm start` and the commands beside it read themselves. */
export const startEnv = z.object({
  NODE_ENV: envFields.nodeEnv.default('development'),
  LOG_LEVEL: envFields.logLevel.default('info'),
  HOST: envFields.host.default('127.0.0.1'),
  PORT: envFields.port.default(4000),
  DATA_DIR: envField('a directory', (text) => resolve(text)).default(resolve('.timbre')),
  PUBLIC_URL: envFields.url.optional(),
  DATABASE_URL: envFields.databaseUrl.optional(),
  IDENTITY_SECRET: envFields.identitySecret.optional(),
  AUTH_ISSUER: envFields.text.optional(),
});

export type StartEnv = z.output<typeof startEnv>;

/** @throws EnvError that lists every bad variable */
export function parseStartEnv(source: EnvSource): StartEnv {
  return parseEnv(startEnv, source);
}

/** What a service can need beyond what all of them do. */
export type Need = 'database' | 'objects' | 'tokens';

const EVERY_SERVICE = ['NODE_ENV', 'LOG_LEVEL', 'HOST', 'IDENTITY_SECRET', 'REDIS_URL', 'APOLLO_TELEMETRY_DISABLED'];
const OF_THE_MACHINE = ['NODE_COMPILE_CACHE', 'PATH', 'TZ', 'TMPDIR', 'SystemRoot', 'NODE_EXTRA_CA_CERTS'];

const BY_NEED: Record<Need, readonly string[]> = {
  database: ['DATABASE_URL'],
  objects: ['DATA_DIR', 'PUBLIC_URL', 'S3_BUCKET', 'S3_ENDPOINT', 'S3_REGION'],
  tokens: [
    'DATA_DIR',
    'AUTH_ISSUER',
    'AUTH_AUDIENCE',
    'AUTH_JWKS_URL',
    'AUTH_CLAIMS_NAMESPACE',
    'AUTH_LOGOUT_AUDIENCE',
  ],
};

/** With S3 its SDK finds its own credentials, in the environment or in the home directory. */
const forS3 = (name: string) => name === 'HOME' || name.startsWith('AWS_');

/** opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables */
const forTracing = (name: string) => name.startsWith('OTEL_');

/** Least privilege: the variables that a service reads, and nothing else of the shell's. */
export function serviceEnv(all: EnvSource, needs: readonly Need[], own: readonly string[]): Record<string, string> {
  const names = [...EVERY_SERVICE, ...OF_THE_MACHINE, ...needs.flatMap((need) => BY_NEED[need]), ...own];
  names.push(...Object.keys(all).filter(forTracing));
  if (needs.includes('objects') && all['S3_BUCKET']) names.push(...Object.keys(all).filter(forS3));
  return Object.fromEntries(names.flatMap((name) => (all[name] ? [[name, all[name]]] : [])));
}
