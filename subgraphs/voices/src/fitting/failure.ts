import type { FailureValue } from '@timbre/db/voices/tables';
import { isAppError } from '@timbre/platform/errors';

/** Thrown inside a fitting when no further attempt can help before somebody does something. */
export class FittingFailed extends Error {
  readonly failure: FailureValue;

  constructor(failure: FailureValue) {
    super(failure.message);
    this.name = 'FittingFailed';
    this.failure = failure;
  }
}

export const ENGINE_MISSING: FailureValue = {
  code: 'ENGINE_UNAVAILABLE',
  message: 'No speech engine is installed here, so no voice can be fitted. Finalize again once there is one.',
  retryable: true,
};

/** What a fitting that was tried as often as may be leaves behind. */
export const GIVEN_UP: FailureValue = {
  code: 'FITTING_FAILED',
  message: 'The voice could not be fitted because of a fault on our side. Finalize again to retry.',
  retryable: true,
};

/** A worker's crash costs an attempt, too: an engine that keeps dying is reported sooner than a fault of ours. */
const ENGINE_ATTEMPTS = 3;

/** What to tell the voice's owner, or null when the job had better be tried again. */
export function failureOf(error: unknown, attempt: number): FailureValue | null {
  if (error instanceof FittingFailed) return error.failure;
  if (!isAppError(error)) return null;
  const { code, message } = error;
  if (code.startsWith('AUDIO_')) return { code, message, retryable: false };
  if (code === 'ENGINE_UNAVAILABLE' && attempt + 1 >= ENGINE_ATTEMPTS) return { code, message, retryable: true };
  return null;
}
