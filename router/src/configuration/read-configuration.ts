import { readFile } from 'node:fs/promises';
import { SettingsError } from '@timbre/platform/env';
import type { EnvSource } from '@timbre/platform/env';
import { parseConfiguration } from './parse-configuration.ts';
import type { RouterConfiguration } from './router-configuration.ts';

/** The configuration in a file. @throws SettingsError */
export async function readConfiguration(file: string, variables: EnvSource): Promise<RouterConfiguration> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new SettingsError(`The configuration ${file}`, [
      error instanceof Error ? error.message : 'it cannot be read',
    ]);
  }
  return parseConfiguration(text, file, variables);
}
