import { readFileSync } from 'node:fs';
import type { EnvSource } from '@timbre/platform/env';

const EXPANSION = /\$\{(?<source>env|file)\.(?<name>[^}:]+)(?::-(?<fallback>[^}]*))?\}/g;
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Puts variables and the contents of files in the place of `${env.NAME}`, `${env.NAME:-default}` and `${file.PATH}`;
 * of a file without the line's end that editors add. A variable that is empty counts as unset.
 *
 * @throws Error that names what is not set or cannot be read, and never what is in it
 */
export function expandVariables(text: string, variables: EnvSource): string {
  return text.replace(EXPANSION, (_match, source: string, name: string, fallback: string | undefined) => {
    const value = source === 'env' ? variables[name] : fileText(name);
    if (value !== undefined && value !== '') return value;
    if (fallback !== undefined) return fallback;
    throw new Error(
      source === 'env' ? `the variable ${name} is not set` : `the file ${name} is empty or cannot be read`,
    );
  });
}

/** Whether all of it is one expansion, so that it may stand for a number or a truth value. */
export function isExpansion(text: string): boolean {
  return text.match(EXPANSION)?.[0] === text;
}

function fileText(path: string): string | undefined {
  try {
    const bytes = readFileSync(path);
    return bytes.length > MAX_FILE_BYTES ? undefined : bytes.toString('utf8').replace(/\r?\n$/, '');
  } catch {
    return undefined;
  }
}
