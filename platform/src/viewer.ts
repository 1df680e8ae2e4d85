import { AppError } from './errors.ts';
import type { Identity } from './identity.ts';

/**
 * The signed-in user behind a request.
 * @throws AppError UNAUTHENTICATED for the anonymous.
 */
export function requireViewer(identity: Identity): string {
  if (identity.userId === null) throw new AppError('UNAUTHENTICATED', 'Sign in to use this field.');
  return identity.userId;
}
