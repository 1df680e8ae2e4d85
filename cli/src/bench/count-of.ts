import { CommandError } from '../run-command.ts';

/** @throws CommandError when the value of `--name` is no whole number from 1 */
export function countOf(name: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new CommandError(`--${name} must be a whole number from 1.`, 2);
  return Number(text);
}
