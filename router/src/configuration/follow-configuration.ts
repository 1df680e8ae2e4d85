import { SettingsError } from '@timbre/platform/env';
import type { EnvSource } from '@timbre/platform/env';
import type { Logger } from '@timbre/platform/logger';
import { textSource } from '../sources/text-source.ts';
import { watchSource } from '../sources/watch-source.ts';
import type { SourceWatch } from '../sources/watch-source.ts';
import { parseConfiguration } from './parse-configuration.ts';
import type { RouterConfiguration } from './router-configuration.ts';

export interface FollowOptions {
  /** The one that is in use. */
  present: RouterConfiguration;
  variables: EnvSource;
  /** Parts that can be changed while the router runs; of a change to another it is logged that it waits for a restart. */
  changeable: readonly (keyof RouterConfiguration)[];
  /** @throws Error that says why it cannot be used: the present one stays */
  apply: (configuration: RouterConfiguration) => Promise<void>;
  log: Logger;
}

/** Tells of every other configuration in the file that can be used. */
export function followConfiguration(file: string, options: FollowOptions): SourceWatch {
  const { variables, changeable, apply, log } = options;
  const changesAtOnce = new Set<string>(changeable);
  let { present } = options;

  return watchSource(textSource(file), {
    log,
    async onChange(text) {
      try {
        const next = parseConfiguration(text, file, variables);
        const changed = differences(present, next);
        if (changed.length === 0) return;
        await apply(next);
        present = next;
        const waiting = changed.filter((name) => !changesAtOnce.has(name));
        if (waiting.length > 0) log.warn({ file, waiting }, 'a part of the configuration waits for a restart');
        log.info({ file, changed }, 'the new configuration is in use');
      } catch (error) {
        // What is wrong with a file is said in its own words; a stack would say nothing of it.
        const reason = error instanceof SettingsError ? { problems: error.problems } : { err: error };
        log.error({ file, ...reason }, 'the new configuration cannot be used: the present one stays');
      }
    },
  });
}

function differences(present: RouterConfiguration, next: RouterConfiguration): string[] {
  const before = new Map<string, unknown>(Object.entries(present));
  const after = new Map<string, unknown>(Object.entries(next));
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => JSON.stringify(before.get(name)) !== JSON.stringify(after.get(name)),
  );
}
