import { resolve } from 'node:path';
import { envField, envFields, parseEnv, type EnvSource } from '@timbre/platform/env';
import { z } from 'zod';

const startEnv = z.object({
  NODE_ENV: envFields.nodeEnv.default('development'),
  LOG_LEVEL: envFields.logLevel.default('info'),
  HOST: envFields.host.default('127.0.0.1'),
  PORT: envFields.port.default(4000),
  DATA_DIR: envField('a directory', (text) => resolve(text)).default(resolve('.timbre')),
  PUBLIC_URL: envFields.url.optional(),
  DATABASE_URL: envFields.databaseUrl.optional(),
  IDENTITY_SECRET: envFields.identitySecret.optional(),
  AUTH_ISSUER: envFields.url.optional(),
});

export type StartEnv = z.output<typeof startEnv>;

/** @throws EnvError that lists every bad variable */
export function parseStartEnv(source: EnvSource): StartEnv {
  return parseEnv(startEnv, source);
}

/** What is handed on to every service as it was given: the addresses of the real parts, and how to log. */
const COMMON = [
  'NODE_ENV',
  'LOG_LEVEL',
  'REDIS_URL',
  'S3_BUCKET',
  'S3_ENDPOINT',
  'S3_REGION',
  'TZ',
  'PATH',
  'TMPDIR',
  'SystemRoot',
];

/** Where S3 stands in for the files, its SDK finds its own credentials. */
const AWS = /^AWS_/;

/** Least privilege: a service sees these variables of ours, and nothing else of the shell's. */
export function commonEnv(source: EnvSource, own: readonly string[]): Record<string, string> {
  const names = [...COMMON, ...own, ...Object.keys(source).filter((name) => AWS.test(name))];
  return Object.fromEntries(names.flatMap((name) => (source[name] ? [[name, source[name]]] : [])));
}
