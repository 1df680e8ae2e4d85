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
  // Looks behind, because `-` is a part of these as well as a word's end: every "-eyJ" of a long text would be a start.
  [/(?<![\w-])(?:eyJ[\w-]+|v1)\.[\w-]{16,}\.[\w-]{16,}/g, '[redacted]'],
  [/(:\/\/[^\s:/@"\\]*:)[^\s@/"\\]+@/g, '$1[redacted]@'],
];

export function redactText(text: string): string {
  return SECRET_TEXT.reduce((line, [pattern, replacement]) => line.replace(pattern, replacement), text);
}

/** No chain of causes is longer, unless it bites its own tail. */
const MAX_CAUSES = 8;

/**
 * The error without the values of failed queries: they are what people typed. drizzle-orm's error holds them as
 * `params`, and repeats them in its message and so in its stack.
 */
function withoutValues(error: Error, depth = 0): Error {
  const cause =
    error.cause instanceof Error && depth < MAX_CAUSES ? withoutValues(error.cause, depth + 1) : error.cause;
  const failedQuery = 'query' in error && 'params' in error && Array.isArray(error.params) ? String(error.query) : null;
  if (failedQuery === null && cause === error.cause) return error;
  const message = failedQuery === null ? error.message : `Failed query: ${failedQuery}`;
  const changed = { message, stack: error.stack?.replace(error.message, () => message), cause };
  const copy: unknown = Object.create(Object.getPrototypeOf(error), {
    ...Object.getOwnPropertyDescriptors(error),
    ...Object.getOwnPropertyDescriptors(failedQuery === null ? changed : { ...changed, params: undefined }),
  });
  return copy instanceof Error ? copy : new Error(message);
}

const describeError = (value: Error): unknown =>
  stdSerializers.err(value instanceof Error ? withoutValues(value) : value);

/** A pino logger that keeps credentials out of its lines, whether they are fields or parts of a text. */
export function createLogger(options: LoggerOptions): Logger {
  const format = options.pretty === true ? prettyFactory({ colorize: true, ignore: 'pid,hostname,name' }) : null;
  return pino(
    {
      name: options.name,
      level: options.level,
      timestamp: stdTimeFunctions.isoTime,
      serializers: { err: describeError, error: describeError },
      redact: { paths: redactedPaths, censor: '[redacted]' },
      hooks: { streamWrite: (line) => (format === null ? redactText(line) : format(redactText(line))) },
    },
    options.stream ?? destination({ fd: 1, sync: true }),
  );
}

export interface LineWriterOptions {
  /** On every line. */
  name: string;
  /** Where the lines go; standard output otherwise, some at once. */
  stream?: DestinationStream;
}

export interface LineWriter {
  /** @param members the line's fields as JSON, as they stand between the braces of an object */
  write: (members: string) => void;
  /** Writes what is not written yet. */
  flush: () => void;
}

/** A write to standard output costs as much as many lines. */
const FLUSHED_CHARACTERS = 48 * 1_024;
const FLUSHED_MS = 1_000;

/**
 * Writes very many lines, in the form of a logger's, of which it is known that there is no secret in any field: none is
 * looked for. By hand, as one of a logger costs several times as much. The lines of a second wait for each other, unless
 * there are very many; a process that exits writes them first.
 */
export function createLineWriter({ name, stream }: LineWriterOptions): LineWriter {
  const end = `","name":${JSON.stringify(name)},`;
  const blocks = stream === undefined ? createBlocks() : null;
  const target = stream ?? blocks;
  let millisecond = 0;
  let start = '';
  return {
    write(members) {
      const now = Date.now();
      if (now !== millisecond) {
        millisecond = now;
        start = `{"level":30,"time":"${new Date(now).toISOString()}${end}`;
      }
      target?.write(`${start}${members}}\n`);
    },
    flush: () => blocks?.flush(),
  };
}

/**
 * Lines for standard output, some at once. The library's own buffer counts all that is in it at each line. Written at once, as
 * by the logger: what a thread of the pool still writes is not there after a flush, and what is flushed could overtake it.
 */
function createBlocks(): DestinationStream & Pick<LineWriter, 'flush'> {
  const output = destination({ fd: 1, sync: true });
  let waiting = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting !== '') output.write(waiting);
    waiting = '';
  };
  for (const ending of ['beforeExit', 'exit']) process.once(ending, flush);
  return {
    write(line) {
      waiting += line;
      if (waiting.length >= FLUSHED_CHARACTERS) flush();
      else timer ??= setTimeout(flush, FLUSHED_MS).unref();
    },
    flush,
  };
}
