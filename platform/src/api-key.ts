import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** `POST /internal/api-key`, router → users, with a signed identity whose roles contain `service`. */
export const API_KEY_PATH = '/internal/api-key';

export const apiKeyRequestSchema = z.object({
  id: z.string().min(1).max(64),
  secret: z.string().min(1).max(128),
});

/** Whose key it is; null for one that is unknown, revoked or expired. */
export const apiKeyPrincipalSchema = z
  .object({
    userId: z.string().min(1),
    plan: z.string().nullable(),
    scopes: z.array(z.string()),
    blocked: z.boolean(),
    /** Unix seconds. */
    expiresAt: z.number().nullable(),
  })
  .nullable();

export type ApiKeyPrincipal = z.infer<typeof apiKeyPrincipalSchema>;

export const API_KEY_PREFIX = 'tk_live_';

/** `tk_live_<id>_<secret>`: the row's id without its dashes; 24 random bytes and a seal, in hex. */
const FORM = /^tk_live_(?<id>[0-9a-f]{32})_(?<secret>[0-9a-f]{48})(?<seal>[0-9a-f]{16})$/;

/** The parts of a key: which row it names, and what that row's holder alone knows. */
export interface ApiKeyParts {
  /** `key_…` */
  id: string;
  secret: string;
}

/**
 * Keys that are sealed: who holds the system's secret sees without asking anybody whether a key was ever given out, so
 * that guessing costs no call. The seal proves nothing more; the secret is compared where its hash is.
 */
export interface ApiKeys {
  /** What may be shown of a key. */
  prefixOf: (id: string) => string;
  /** A new secret for a row, and the key to be shown once. */
  mint(id: string): { key: string; secret: string };
  /** Null for what this system cannot have given out. */
  read(key: string): ApiKeyParts | null;
  /** What is stored: of no use without the system's secret. */
  hashOf(secret: string): string;
}

/** @param systemSecret what all services share; keys die with it */
export function createApiKeys(systemSecret: string): ApiKeys {
  // As in the signer of URLs, with bare bytes each seal would take ten times as long.
  const derive = (purpose: string) =>
    createSecretKey(createHmac('sha256', systemSecret).update(`timbre-api-key.${purpose}.v1`).digest());
  const [sealing, pepper] = [derive('seal'), derive('pepper')];
  const sealOf = (id: string, secret: string) =>
    createHmac('sha256', sealing).update(`${id}.${secret}`).digest().subarray(0, 8);
  const prefixOf = (id: string) => API_KEY_PREFIX + id.slice('key_'.length).replaceAll('-', '');

  return {
    prefixOf,
    mint(id) {
      const secret = randomBytes(24).toString('hex');
      const seal = sealOf(id, secret).toString('hex');
      return { key: `${prefixOf(id)}_${secret}${seal}`, secret };
    },
    read(key) {
      const parts = FORM.exec(key)?.groups;
      const hex = parts?.['id'] ?? '';
      const secret = parts?.['secret'] ?? '';
      if (parts === undefined) return null;
      const id = `key_${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')}`;
      const seal = Buffer.from(parts['seal'] ?? '', 'hex');
      return timingSafeEqual(seal, sealOf(id, secret)) ? { id, secret } : null;
    },
    hashOf: (secret) => createHmac('sha256', pepper).update(secret).digest('base64url'),
  };
}
