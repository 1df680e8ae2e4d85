interface Refusal {
  message: string;
  /** SCREAMING_SNAKE_CASE, stable. */
  code: string;
  path: string[];
}

export interface ValidationRefusal extends Refusal {
  __typename: 'ValidationError';
}

export interface ConsentRefusal extends Refusal {
  __typename: 'ConsentRequiredError';
  statement: string;
}

export interface VoiceLimitRefusal extends Refusal {
  __typename: 'VoiceLimitError';
  limit: number;
  used: number;
}

export interface ConflictRefusal extends Refusal {
  __typename: 'IdempotencyConflictError';
}

/** What a client can act on, in the shape of the contract's union. */
export type VoiceRefusal = ValidationRefusal | ConsentRefusal | VoiceLimitRefusal | ConflictRefusal;

/** Thrown by the rules, so that a refusal rolls back whatever its transaction had begun. */
export class Refused extends Error {
  readonly errors: VoiceRefusal[];

  constructor(...errors: VoiceRefusal[]) {
    super(errors.map((error) => error.message).join(' '));
    this.name = 'Refused';
    this.errors = errors;
  }
}

export function invalid(code: string, path: string[], message: string): ValidationRefusal {
  return { __typename: 'ValidationError', code, path, message };
}

/** A missing voice, somebody else's and a library one answer alike. */
export function noSuchVoice(path: string[]): Refused {
  return new Refused(invalid('VOICE_NOT_FOUND', path, 'There is no voice of yours with this id.'));
}

export function keyConflict(path: string[]): Refused {
  return new Refused({
    __typename: 'IdempotencyConflictError',
    code: 'IDEMPOTENCY_CONFLICT',
    path,
    message: 'This idempotency key was used before with another input.',
  });
}

export type Outcome<T> = { value: T; errors: [] } | { value: null; errors: VoiceRefusal[] };

/** Turns what was refused into data; every other error goes on its way. */
export async function outcome<T>(run: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await run(), errors: [] };
  } catch (error) {
    if (error instanceof Refused) return { value: null, errors: error.errors };
    throw error;
  }
}
