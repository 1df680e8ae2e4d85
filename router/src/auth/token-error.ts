import { AppError } from '@timbre/platform/errors';
import { errors } from 'jose';

/** What is wrong with a token, in words that help its holder and tell a forger nothing new. */
export function tokenError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('UNAUTHENTICATED', reasonOf(error), { cause: error });
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed) {
    switch (error.claim) {
      case 'aud':
        return 'The token is meant for another audience.';
      case 'iss':
        return 'The token is from another issuer.';
      case 'nbf':
        return 'The token is not valid yet.';
      default:
        return `The token's claim "${error.claim}" is missing or not valid.`;
    }
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'The token is signed by an algorithm that is not allowed.';
  if (error instanceof errors.JWKSNoMatchingKey) return 'The token is signed with an unknown key.';
  if (error instanceof errors.JWSSignatureVerificationFailed) return "The token's signature is not valid.";
  return 'The token is not a signed JWT.';
}
