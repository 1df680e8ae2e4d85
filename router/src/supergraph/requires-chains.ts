import { Kind } from 'graphql';
import type { DocumentNode } from 'graphql';
import { argumentOf, graphOf, requiredSet, subgraphNames } from './join-fields.ts';
import { withLinkSubgraph } from './link-subgraph.ts';
import type { Link } from './link-subgraph.ts';
import { readPlannedNames } from './planned-names.ts';
import { withoutUnusedExternals } from './unused-externals.ts';

/** Fields that require others and are required in turn, each in a subgraph of its own for the planner. */
export interface RequiresChains {
  /** The supergraph for the planner, and for nobody else. */
  document: DocumentNode;
  /** The subgraph that is asked in truth, by the name of each that there is none of. */
  realSubgraphs: ReadonlyMap<string, string>;
}

/**
 * The planner makes two mistakes with a required field that itself requires something. Of the fetches that a field with
 * requirements takes, it merges those to the subgraph of the fetch before into that one, even if they wait for others.
 * And it merges what such a fetch asks for into one to another subgraph where these fields are known, though external.
 *
 * Neither happens where a required field's subgraph is no other field's, and a subgraph knows but its own fields: so
 * each such field gets a subgraph of its own here, and the other fields of a subgraph that have requirements get one.
 *
 * Null where no field that requires others is required.
 */
export function separateChains(document: DocumentNode): RequiresChains | null {
  const links = readLinks(document);
  if (links === null) return null;
  const names = subgraphNames(document);
  const taken = new Set([...names].flat());
  const realSubgraphs = new Map<string, string>();
  let separated = document;
  for (const [index, link] of links.entries()) {
    let name = `${link.graph}_LINK${index}`;
    while (taken.has(name)) name = `${name}_`;
    realSubgraphs.set(name, names.get(link.graph) ?? link.graph);
    separated = withLinkSubgraph(separated, link, name);
  }
  separated = withoutUnusedExternals(separated, new Set(links.map(({ graph }) => graph)));
  return { document: separated, realSubgraphs };
}

/** Told by the names of required fields alone: one too many does no harm. */
function readLinks(document: DocumentNode): Link[] | null {
  const { required } = readPlannedNames(document);
  const links = new Map<string, Link>();
  let isChained = false;
  for (const type of document.definitions) {
    if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    for (const { name, directives = [] } of type.fields ?? []) {
      // What moves between subgraphs, or is given something from its context, stays where it is.
      const isBound = directives.some(
        (each) => argumentOf(each, 'overrideLabel') !== undefined || argumentOf(each, 'contextArguments') !== undefined,
      );
      if (isBound) continue;
      for (const directive of directives) {
        const graph = graphOf(directive);
        if (graph === null || requiredSet(directive) === null) continue;
        const isRequired = required.has(name.value);
        isChained ||= isRequired;
        const key = isRequired ? `${graph}.${name.value}` : graph;
        const link = links.get(key) ?? { graph, fields: new Set(), types: new Set() };
        link.fields.add(name.value);
        link.types.add(type.name.value);
        links.set(key, link);
      }
    }
  }
  return isChained ? [...links.values()] : null;
}
