import type { EnvSource } from '@timbre/platform/env';
import { SettingsError } from '@timbre/platform/env';
import { DRY_RUN_WARNING } from './auth/authorization.ts';
import { checkReaches } from './cache/reach.ts';
import { readConfiguration } from './configuration/read-configuration.ts';
import { openDocuments } from './documents/open-documents.ts';
import type { RouterSettings } from './env.ts';
import { loadSupergraph } from './supergraph/load-supergraph.ts';
import { textSource } from './sources/text-source.ts';

/**
 * Reads what a router would be started with, and loads the supergraph.
 *
 * @returns a line that says that all of it can be used
 * @throws SettingsError that lists what is wrong
 */
export async function checkSettings(settings: RouterSettings, variables: EnvSource): Promise<string> {
  const configuration = settings.config === null ? {} : await readConfiguration(settings.config, variables);
  const { authorization, documents, responseCache } = configuration;
  if (documents !== undefined && settings.config !== null) {
    await openDocuments(documents, { file: settings.config, shared: null });
  }
  const source = textSource(settings.supergraph);
  try {
    const supergraph = await loadSupergraph((await source.read()) ?? '');
    supergraph.unload();
    checkReaches(responseCache?.mutations ?? {}, supergraph);
    const subgraphs = supergraph.subgraphs.map(({ name }) => name).join(', ');
    const warning = authorization?.dryRun === true ? `\nWARNING: ${DRY_RUN_WARNING}.` : '';
    return `${settings.config ?? 'No configuration'} and ${source.name} (${subgraphs}) can be served.${warning}`;
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw new SettingsError(`The supergraph ${source.name}`, [error instanceof Error ? error.message : String(error)]);
  }
}
