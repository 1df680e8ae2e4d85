import { Kind } from 'graphql';
import type { DocumentNode } from 'graphql';
import { argumentOf, graphOf, isUnresolvable, subgraphNames } from './join-fields.ts';

/** By subgraph and type: the field sets by which the subgraph resolves entities of the type. */
export type EntityKeys = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** Reads them off a supergraph document: `@join__type(graph:, key:, resolvable:)`. */
export function readEntityKeys(document: DocumentNode) {
  const names = subgraphNames(document);
  const keys = new Map<string, Map<string, string[]>>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    for (const directive of definition.directives ?? []) {
      if (directive.name.value !== 'join__type' || isUnresolvable(directive)) continue;
      const subgraph = names.get(graphOf(directive) ?? '');
      const key = argumentOf(directive, 'key');
      if (subgraph === undefined || key?.kind !== Kind.STRING) continue;
      const types = keys.get(subgraph) ?? new Map<string, string[]>();
      types.set(definition.name.value, [...(types.get(definition.name.value) ?? []), key.value]);
      keys.set(subgraph, types);
    }
  }
  return keys;
}
