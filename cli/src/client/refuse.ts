/** One member of a payload's `errors`. */
export interface PayloadError {
  code: string;
  message: string;
  path?: string[] | null;
}

/** A mutation's payload carried errors that the caller can act on. */
export class UserErrors extends Error {
  readonly errors: readonly PayloadError[];

  constructor(errors: readonly PayloadError[]) {
    super(
      errors
        .map((error) => `${error.code}: ${error.message}${error.path ? ` (${error.path.join('.')})` : ''}`)
        .join('\n'),
    );
    this.name = 'UserErrors';
    this.errors = errors;
  }
}

/** @throws UserErrors if the payload carries any */
export function refuse(errors: readonly PayloadError[] | undefined): void {
  if (errors?.length) throw new UserErrors(errors);
}
