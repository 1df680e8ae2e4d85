import type { GenerateSpeechError, ValidationError } from '../generated/types.ts';

/** What a client can act on, thrown inside a transaction so that everything the request did is rolled back. */
export class Refusal extends Error {
  readonly errors: readonly Refused[];

  constructor(errors: readonly Refused[]) {
    super(errors.map((error) => error.message).join(' '));
    this.name = 'Refusal';
    this.errors = errors;
  }
}

/** A member of the payload's union, with the name that tells which. */
export type Refused = GenerateSpeechError & { __typename: NonNullable<GenerateSpeechError['__typename']> };

export function invalid(
  code: string,
  message: string,
  path: readonly string[],
): ValidationError & { __typename: 'ValidationError' } {
  return { __typename: 'ValidationError', code, message, path: [...path] };
}
