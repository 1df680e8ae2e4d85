import { expect, test } from 'vitest';
import { z } from 'zod';
import { EnvError, envFields, parseEnv, serviceEnvShape } from './env.ts';

const secret = 'a secret of more than thirty-two characters';

function refusal(schema: z.ZodObject, source: Record<string, string | undefined>): string {
  try {
    parseEnv(schema, source);
  } catch (error) {
    if (error instanceof EnvError) return error.message;
    throw error;
  }
  throw new Error('The environment was accepted.');
}

test('every bad variable is named at once, with the form that was expected', () => {
  const message = refusal(z.object(serviceEnvShape), {
    PORT: '70000',
    LOG_LEVEL: 'loud',
    DATABASE_URL: 'mysql://x',
    IDENTITY_SECRET: 'short',
  });
  expect(message).toContain('PORT is "70000": expected a port number from 0 to 65535');
  expect(message).toContain('LOG_LEVEL is "loud": expected one of fatal, error');
  expect(message).toContain('DATABASE_URL is set to something else: expected a URL such as postgres://');
  expect(message).toContain('IDENTITY_SECRET is set to something else: expected a secret of at least 32 characters');
  expect(message).not.toContain('short');
  expect(message).not.toContain('mysql');
});

test('an empty variable counts as unset', () => {
  const env = parseEnv(z.object(serviceEnvShape), {
    PORT: '',
    REDIS_URL: ' ',
    DATABASE_URL: 'postgres://u:p@127.0.0.1:5432/timbre',
    IDENTITY_SECRET: secret,
  });
  expect(env.PORT).toBe(0);
  expect(env.REDIS_URL).toBeUndefined();
  expect(refusal(z.object(serviceEnvShape), { DATABASE_URL: '', IDENTITY_SECRET: secret })).toContain(
    'DATABASE_URL is not set',
  );
});

test('production refuses what only an embedded part could stand in for', () => {
  const schema = z.object({
    DATABASE_URL: envFields.databaseUrl.optional(),
    AUTH_ISSUER: envFields.url.optional(),
    IDENTITY_SECRET: envFields.identitySecret.optional(),
  });
  expect(parseEnv(schema, {})).toEqual({});
  const message = refusal(schema, { NODE_ENV: 'production' });
  for (const name of ['DATABASE_URL', 'AUTH_ISSUER', 'IDENTITY_SECRET'])
    expect(message).toContain(`${name} is not set`);
});

test('a variable that the schema does not name is not asked for in production', () => {
  expect(parseEnv(z.object({ PORT: envFields.port }), { NODE_ENV: 'production', PORT: '80' })).toEqual({ PORT: 80 });
});

test('a URL loses its trailing slash', () => {
  expect(parseEnv(z.object({ PUBLIC_URL: envFields.url }), { PUBLIC_URL: 'https://api.example.com/' }).PUBLIC_URL).toBe(
    'https://api.example.com',
  );
});
