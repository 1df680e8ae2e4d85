import { z } from 'zod';

/**
 * `POST /internal/revocations`, router → users, with a signed identity whose roles contain `service`: what was revoked
 * since a time of users' own clock, some of it perhaps once more. Null asks for the time alone.
 */
export const REVOCATIONS_PATH = '/internal/revocations';

export const revocationsRequestSchema = z.object({ since: z.iso.datetime().nullable() });

/** By what tokens and keys are revoked. `user` is everything of theirs: they were blocked. */
export const REVOCATION_KINDS = ['token', 'session', 'subject', 'key', 'user'] as const;

export const revocationSchema = z.object({
  kind: z.enum(REVOCATION_KINDS),
  /** Of tokens, sessions and subjects; empty for what has none. */
  issuer: z.string(),
  value: z.string(),
});

export type Revocation = z.infer<typeof revocationSchema>;

export const revocationsSchema = z.object({
  /** What to ask from the next time. */
  now: z.iso.datetime(),
  /** Null: too many to be told. Everything that is remembered is in doubt. */
  revocations: z.array(revocationSchema).nullable(),
});

export type Revocations = z.infer<typeof revocationsSchema>;

/** `POST /internal/logout`, router → users: an issuer has ended a session, or all sessions of a subject. */
export const LOGOUT_PATH = '/internal/logout';

const name = z.string().min(1).max(1024);

export const logoutRequestSchema = z.object({
  iss: name.max(2048),
  sub: name.nullable(),
  sid: name.max(255).nullable(),
  /** Of the logout token: what was issued by then has ended. Unix seconds. */
  iat: z.number(),
  /** Of the logout token, which counts once. */
  jti: name.max(255),
  exp: z.number(),
});

export type LogoutRequest = z.infer<typeof logoutRequestSchema>;

export const logoutSchema = z.object({ replayed: z.boolean() });
