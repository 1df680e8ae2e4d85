import { z } from 'zod';

/** `POST /internal/principal`, router → users, with a signed identity whose roles contain `service`. */
export const PRINCIPAL_PATH = '/internal/principal';

export const principalRequestSchema = z.object({
  /** The token's issuer and subject, exactly as they stand in the token. */
  iss: z.string().min(1).max(2048),
  sub: z.string().min(1).max(1024),
  email: z.string().min(3).max(320).nullish(),
  /** What the token is revoked by: its own id, its session's, and when it was issued (unix seconds). */
  jti: z.string().min(1).max(255).nullish(),
  sid: z.string().min(1).max(255).nullish(),
  iat: z.number().nullish(),
});

export type PrincipalRequest = z.infer<typeof principalRequestSchema>;

export const principalSchema = z.object({
  userId: z.string().min(1),
  role: z.enum(['USER', 'SUPPORT', 'ADMIN']),
  /** The plan's id, for example `plan_free`; null where no plan applies. */
  plan: z.string().nullable(),
  blocked: z.boolean(),
  /** The token or its session was ended. */
  revoked: z.boolean().default(false),
});

export type Principal = z.infer<typeof principalSchema>;
