import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';

/** The subgraphs of the graph, by name; each is described by `schema/<name>.graphql`. */
export const SUBGRAPHS = ['users', 'voices', 'tts', 'billing'] as const;

export const SUPERGRAPH_FILE = fileURLToPath(new URL('supergraph.graphql', import.meta.url));

/**
 * Composes the subgraph schemas into the supergraph SDL (Apollo Federation 2).
 *
 * The addresses in it are placeholders: the router replaces each by `SUBGRAPH_URL_<NAME>`.
 *
 * @throws Error that lists every composition error with its code
 */
export function composeSupergraph(): string {
  const result = composeServices(
    SUBGRAPHS.map((name) => ({
      name,
      url: `http://${name}.invalid/graphql`,
      typeDefs: parse(readFileSync(new URL(`${name}.graphql`, import.meta.url), 'utf8')),
    })),
  );
  if (result.errors) {
    const lines = result.errors.map((error) => `  ${String(error.extensions.code)}: ${error.message}`);
    throw new Error(`The subgraphs do not compose:\n${lines.join('\n')}`);
  }
  const warnings = result.hints.filter((hint) => hint.definition.level.name === 'WARN');
  for (const hint of warnings) console.warn(`${hint.definition.code}: ${hint.message}`);
  return `${result.supergraphSdl.trimEnd()}\n`;
}

if (import.meta.main) {
  writeFileSync(SUPERGRAPH_FILE, composeSupergraph());
  console.log(`Composed ${SUBGRAPHS.join(', ')} into ${SUPERGRAPH_FILE}`);
}
