import { z } from 'zod';

/** A source of variables, such as `process.env`. */
export type EnvSource = Readonly<Record<string, string | undefined>>;

/** A program was told something that it cannot work with; its message lists everything and is fit to be printed as it is. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(what: string, problems: readonly string[]) {
    super(`${what} is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** Every bad variable with its expected form. */
export class EnvError extends SettingsError {
  constructor(problems: readonly string[]) {
    super('The environment', problems);
    this.name = 'EnvError';
  }
}

/** Their embedded stand-ins are for one machine: production must name the real ones. */
const REQUIRED_IN_PRODUCTION = ['DATABASE_URL', 'AUTH_ISSUER', 'IDENTITY_SECRET'];

const SECRET_NAME = /SECRET|KEY|TOKEN|PASSWORD|DSN|DATABASE_URL|REDIS_URL/;

/**
 * Reads the variables that a schema names; an empty string counts as unset.
 * With `NODE_ENV=production` a variable of {@link REQUIRED_IN_PRODUCTION} that the schema names must be set.
 *
 * @throws EnvError that lists every bad variable at once.
 */
export function parseEnv<Schema extends z.ZodObject>(schema: Schema, source: EnvSource): z.output<Schema> {
  const names = Object.keys(schema.shape);
  const given = new Map<string, string>();
  for (const name of names) {
    const value = source[name]?.trim();
    if (value !== undefined && value !== '') given.set(name, value);
  }

  const parsed = schema.safeParse(Object.fromEntries(given));
  const problems = new Map<string, string>();
  for (const issue of parsed.error?.issues ?? []) {
    const name = String(issue.path[0] ?? 'environment');
    if (!problems.has(name)) problems.set(name, `${describe(name, given.get(name))}: ${issue.message}`);
  }
  if (source['NODE_ENV'] === 'production') {
    for (const name of REQUIRED_IN_PRODUCTION) {
      if (names.includes(name) && !given.has(name)) {
        problems.set(name, `${name} is not set: with NODE_ENV=production nothing embedded stands in for it`);
      }
    }
  }
  if (!parsed.success || problems.size > 0) throw new EnvError([...problems.values()]);
  return parsed.data;
}

function describe(name: string, value: string | undefined): string {
  if (value === undefined) return `${name} is not set`;
  return SECRET_NAME.test(name) ? `${name} is set to something else` : `${name} is ${JSON.stringify(value)}`;
}

/** A variable whose text `read` understands; `undefined` from it means "not of this form". */
export function envField<T>(expected: string, read: (text: string) => T | undefined) {
  const error = `expected ${expected}`;
  return z.string({ error }).transform((text, context): T => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}

function integer(minimum: number, maximum: number) {
  return (text: string) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    return value >= minimum && value <= maximum ? value : undefined;
  };
}

/** Without a trailing slash, so that paths can be appended. */
function url(protocols: readonly string[]) {
  return (text: string) => {
    const parsed = URL.parse(text);
    return parsed !== null && protocols.includes(parsed.protocol) ? text.replace(/\/+$/, '') : undefined;
  };
}

const oneOf =
  <const Values extends readonly string[]>(values: Values) =>
  (text: string): Values[number] | undefined =>
    values.find((value) => value === text);

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const NODE_ENVS = ['development', 'test', 'production'] as const;

/** The fields that several programs share; each is required until `.optional()` or `.default(…)` is added. */
export const envFields = {
  port: envField('a port number from 0 to 65535 (0: chosen by the system)', integer(0, 65_535)),
  host: envField('a host name or an IP address', (text) => (/^[\w.:-]+$/.test(text) ? text : undefined)),
  url: envField('a URL that begins with http:// or https://', url(['http:', 'https:'])),
  databaseUrl: envField('a URL such as postgres://user:password@host:5432/timbre', url(['postgres:', 'postgresql:'])),
  redisUrl: envField('a URL such as redis://host:6379 or rediss://…', url(['redis:', 'rediss:'])),
  identitySecret: envField('a secret of at least 32 characters, the same for every service', (text) =>
    text.length >= 32 ? text : undefined,
  ),
  logLevel: envField(`one of ${LOG_LEVELS.join(', ')}`, oneOf(LOG_LEVELS)),
  nodeEnv: envField(`one of ${NODE_ENVS.join(', ')}`, oneOf(NODE_ENVS)),
  boolean: envField('true or false', (text) =>
    text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined,
  ),
  text: envField('some text', (text) => text),
  integer: (minimum: number, maximum: number) =>
    envField(`a whole number from ${minimum} to ${maximum}`, integer(minimum, maximum)),
} as const;

/** What every service reads; spread it into the service's own schema. */
export const serviceEnvShape = {
  NODE_ENV: envFields.nodeEnv.default('development'),
  LOG_LEVEL: envFields.logLevel.default('info'),
  HOST: envFields.host.default('127.0.0.1'),
  PORT: envFields.port.default(0),
  DATA_DIR: envFields.text.default('.timbre'),
  PUBLIC_URL: envFields.url.default('http://127.0.0.1:4000'),
  DATABASE_URL: envFields.databaseUrl,
  REDIS_URL: envFields.redisUrl.optional(),
  S3_BUCKET: envFields.text.optional(),
  S3_ENDPOINT: envFields.url.optional(),
  S3_REGION: envFields.text.optional(),
  IDENTITY_SECRET: envFields.identitySecret,
} as const;

export type ServiceEnv = z.output<z.ZodObject<typeof serviceEnvShape>>;

/** The variables of this process, for its `main.ts`. */
export function processEnv(): EnvSource {
  return process.env;
}
