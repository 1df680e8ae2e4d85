import { isAppError } from '@timbre/platform/errors';
import type { ChunkFailure } from '../repos/chunks.ts';

/** The run is no longer the one that may write: canceled, taken over, or ended. */
export class RunOver extends Error {
  constructor() {
    super('The run is over.');
    this.name = 'RunOver';
  }
}

/** The voice was deleted, revoked or fitted again since the generation was asked for. */
export const VOICE_UNAVAILABLE: ChunkFailure = {
  code: 'VOICE_UNAVAILABLE',
  message: 'The voice can no longer be used: it was deleted, its consent was revoked, or it was cloned again.',
  retryable: false,
};

/** What is written beside a chunk that failed, and whether trying again may help. Never an unknown error's own words. */
export function describeFailure(error: unknown): ChunkFailure {
  if (!isAppError(error)) {
    return { code: 'INTERNAL_SERVER_ERROR', message: 'The chunk could not be spoken.', retryable: true };
  }
  const passing =
    error.code === 'ENGINE_UNAVAILABLE' || error.code === 'TIMEOUT' || error.code === 'SERVICE_UNAVAILABLE';
  return { code: error.code, message: error.message, retryable: passing && error.details?.['retryable'] !== false };
}
