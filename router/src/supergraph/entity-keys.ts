import { Kind } from 'graphql';
import type { ConstDirectiveNode, DocumentNode } from 'graphql';

/** By subgraph and type: the field sets by which the subgraph resolves entities of the type. */
export type EntityKeys = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** Reads them off a supergraph document: `@join__type(graph:, key:, resolvable:)`. */
export function readEntityKeys(document: DocumentNode) {
  const names = new Map<string, string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.ENUM_TYPE_DEFINITION || definition.name.value !== 'join__Graph') continue;
    for (const value of definition.values ?? []) {
      const graph = value.directives?.find(({ name }) => name.value === 'join__graph');
      const name = graph === undefined ? undefined : argumentOf(graph, 'name');
      if (typeof name === 'string') names.set(value.name.value, name);
    }
  }
  const keys = new Map<string, Map<string, string[]>>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    for (const directive of definition.directives ?? []) {
      if (directive.name.value !== 'join__type') continue;
      const subgraph = names.get(String(argumentOf(directive, 'graph')));
      const key = argumentOf(directive, 'key');
      if (subgraph === undefined || typeof key !== 'string' || argumentOf(directive, 'resolvable') === false) continue;
      const types = keys.get(subgraph) ?? new Map<string, string[]>();
      types.set(definition.name.value, [...(types.get(definition.name.value) ?? []), key]);
      keys.set(subgraph, types);
    }
  }
  return keys;
}

function argumentOf({ arguments: args = [] }: ConstDirectiveNode, name: string): string | boolean | undefined {
  const value = args.find((argument) => argument.name.value === name)?.value;
  if (value === undefined) return undefined;
  return value.kind === Kind.STRING || value.kind === Kind.ENUM || value.kind === Kind.BOOLEAN
    ? value.value
    : undefined;
}
