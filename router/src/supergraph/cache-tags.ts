import { Kind } from 'graphql';
import type { ConstDirectiveNode, DocumentNode } from 'graphql';
import { argumentOf, subgraphNames } from './join-fields.ts';

/** By subgraph, and by type (`User`) or field of the root (`Query.user`): the formats of its `@cacheTag`s. */
export type CacheTagFormats = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** Reads them off a supergraph document: `@join__directive(graphs:, name: "federation__cacheTag", args: {format:})`. */
export function readCacheTags(document: DocumentNode) {
  const names = subgraphNames(document);
  const formats = new Map<string, Map<string, string[]>>();

  const read = (coordinate: string, directives: readonly ConstDirectiveNode[] = []): void => {
    for (const directive of directives) {
      const format = formatOf(directive);
      const graphs = format === null ? undefined : argumentOf(directive, 'graphs');
      if (format === null || graphs?.kind !== Kind.LIST) continue;
      for (const graph of graphs.values) {
        const subgraph = graph.kind === Kind.ENUM ? names.get(graph.value) : undefined;
        if (subgraph === undefined) continue;
        const known = formats.get(subgraph) ?? new Map<string, string[]>();
        known.set(coordinate, [...(known.get(coordinate) ?? []), format]);
        formats.set(subgraph, known);
      }
    }
  };

  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
    const type = definition.name.value;
    read(type, definition.directives);
    for (const field of definition.fields ?? []) read(`${type}.${field.name.value}`, field.directives);
  }
  return formats;
}

function formatOf(directive: ConstDirectiveNode): string | null {
  if (directive.name.value !== 'join__directive') return null;
  const name = argumentOf(directive, 'name');
  if (name?.kind !== Kind.STRING || !/(?:^|__)cacheTag$/.test(name.value)) return null;
  const args = argumentOf(directive, 'args');
  const format = args?.kind === Kind.OBJECT ? args.fields.find((field) => field.name.value === 'format') : undefined;
  return format?.value.kind === Kind.STRING ? format.value.value : null;
}
