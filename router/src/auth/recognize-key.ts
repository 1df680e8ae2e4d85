import type { ApiKeyParts, ApiKeyPrincipal, ApiKeys } from '@timbre/platform/api-key';
import { AppError } from '@timbre/platform/errors';
import type { Recognized } from './known-credential.ts';
import { nameOf } from './known-credential.ts';

/** @throws AppError UNAUTHENTICATED for what cannot be a key */
export type RecognizeKey = (key: string) => Recognized;

export interface KeyRecognition {
  keys: Pick<ApiKeys, 'read'>;
  /** @throws AppError SERVICE_UNAVAILABLE */
  ask: (parts: ApiKeyParts, requestId: string) => Promise<ApiKeyPrincipal>;
}

const FRESH_MS = 5_000;

/** API keys: what was never given out is refused here; whose the others are is asked for. */
export function createKeyRecognition({ keys, ask }: KeyRecognition): RecognizeKey {
  return (text) => {
    const parts = keys.read(text);
    if (parts === null) throw new AppError('UNAUTHENTICATED', 'This is not an API key.');
    const { id } = parts;
    return {
      names: [nameOf('key', '', id)],
      // Its expiry is the answer's to tell.
      endsAt: null,
      freshMs: FRESH_MS,
      async resolve(requestId) {
        const owner = await ask(parts, requestId);
        if (owner === null) throw new AppError('UNAUTHENTICATED', 'The API key is unknown, revoked or expired.');
        if (owner.blocked) throw new AppError('FORBIDDEN', 'This account is blocked.');
        const { userId, plan, scopes, expiresAt } = owner;
        return {
          subject: userId,
          issuer: null,
          userId,
          roles: [],
          scopes,
          plan,
          expiresAt,
          credential: { kind: 'key', id, session: null, issuedAt: null, expiresAt },
        };
      },
    };
  };
}
