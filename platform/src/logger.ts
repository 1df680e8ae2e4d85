import { destination, pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { IDENTITY_HEADER } from './identity.ts';

export type { Logger } from 'pino';
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface LoggerOptions {
  /** The service's name, on every line. */
  name: string;
  level: LogLevel;
  /** For people at a terminal; JSON lines otherwise. */
  pretty?: boolean;
  /** Where the lines go; standard output otherwise. */
  stream?: DestinationStream;
}

const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'set-cookie',
  'token',
  'accessToken',
  'secret',
  'password',
  'signature',
  'identity',
  'apiKey',
  IDENTITY_HEADER,
];

/** fast-redact's wildcards stand for one level each: name the levels at which a field has been seen. */
const redactedPaths = SECRET_FIELDS.flatMap((field) => [`["${field}"]`, `*["${field}"]`, `*.*["${field}"]`]);

/**
 * What hides inside free text: URL signatures (ours and S3's), bearer tokens, JWTs, signed
 * identities, and passwords in connection strings.
 */
const SECRET_TEXT: readonly [RegExp, string][] = [
  [/((?:X-Amz-(?:Signature|Credential|Security-Token)|signature|sig|token)=)[^&"\\\s]+/gi, '$1[redacted]'],
  [/\b(Bearer\s+)[\w.~+/=-]+/gi, '$1[redacted]'],
  [/\b(?:eyJ[\w-]+|v1)\.[\w-]{16,}\.[\w-]{16,}/g, '[redacted]'],
  [/(:\/\/[^\s:/@"\\]*:)[^\s@/"\\]+@/g, '$1[redacted]@'],
];

export function redactText(text: string): string {
  return SECRET_TEXT.reduce((line, [pattern, replacement]) => line.replace(pattern, replacement), text);
}

/** A pino logger that keeps credentials out of its lines, whether they are fields or parts of a text. */
export function createLogger(options: LoggerOptions): Logger {
  const format = options.pretty === true ? prettyFactory({ colorize: true, ignore: 'pid,hostname,name' }) : null;
  return pino(
    {
      name: options.name,
      level: options.level,
      timestamp: stdTimeFunctions.isoTime,
      serializers: { err: stdSerializers.err, error: stdSerializers.err },
      redact: { paths: redactedPaths, censor: '[redacted]' },
      hooks: { streamWrite: (line) => (format === null ? redactText(line) : format(redactText(line))) },
    },
    options.stream ?? destination({ fd: 1, sync: true }),
  );
}
