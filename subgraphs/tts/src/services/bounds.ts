import { AppError } from '@timbre/platform/errors';

/** @throws AppError BAD_USER_INPUT that names the limit and what was sent. */
export function atLeast(argument: string, minimum: number, sent: number): number {
  if (sent >= minimum) return sent;
  throw new AppError('BAD_USER_INPUT', `\`${argument}\` must be ${minimum} or more, not ${sent}.`, {
    details: { argument, minimum, sent },
  });
}
