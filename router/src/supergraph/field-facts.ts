import { Kind } from 'graphql';
import type { DocumentNode, SelectionSetNode, TypeNode, ValueNode } from 'graphql';
import { argumentOf, graphOf, keyFields, requiredSet, selectedSet, subgraphNames } from './join-fields.ts';

/** Fields with what is selected of them, as names joined by dots. Type conditions leave no trace. */
export type FieldPaths = ReadonlySet<string>;

/** What a supergraph says of the fields of its subgraphs. */
export interface FieldFacts {
  requiredBy: (subgraph: string, type: string, field: string) => FieldPaths;
  /** What the subgraph has below a field, though it is external there. */
  providedBy: (subgraph: string, type: string, field: string) => FieldPaths;
  /** Whether it has to be told of a field; keys it always has. */
  isExternal: (subgraph: string, type: string, field: string) => boolean;
  /** The type that a field is of or has a list of; empty where there is no such field. */
  typeOf: (subgraph: string, type: string, field: string) => string;
  rootType: (operation: string) => string;
}

const NOTHING: FieldPaths = new Set();

/** Reads them off a supergraph document. */
export function readFieldFacts(document: DocumentNode): FieldFacts {
  const subgraphs = subgraphNames(document);
  const required = new Map<string, FieldPaths>();
  const provided = new Map<string, FieldPaths>();
  const external = new Set<string>();
  const types = new Map<string, string>();
  const roots = new Map<string, string>();
  for (const type of document.definitions) {
    if (type.kind === Kind.SCHEMA_DEFINITION) {
      for (const root of type.operationTypes) roots.set(root.operation, root.type.name.value);
    }
    if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    for (const field of type.fields ?? []) {
      const coordinate = `${type.name.value}.${field.name.value}`;
      types.set(coordinate, nameOf(field.type));
      for (const directive of field.directives ?? []) {
        const graph = graphOf(directive);
        if (graph === null) continue;
        const own = `${subgraphs.get(graph) ?? graph}:${coordinate}`;
        const set = requiredSet(directive);
        if (set !== null) required.set(own, pathsOf(set));
        const provides = selectedSet(directive, 'provides');
        if (provides !== null) provided.set(own, pathsOf(provides));
        if (
          isTrue(argumentOf(directive, 'external')) &&
          !keyFields(type.directives ?? [], graph).has(field.name.value)
        ) {
          external.add(own);
        }
        // The type may be narrower in a subgraph than in the supergraph.
        const narrowed = argumentOf(directive, 'type');
        if (narrowed?.kind === Kind.STRING) types.set(own, narrowed.value.replaceAll(/[[\]!\s]/g, ''));
      }
    }
  }
  return {
    requiredBy: (subgraph, type, field) => required.get(`${subgraph}:${type}.${field}`) ?? NOTHING,
    providedBy: (subgraph, type, field) => provided.get(`${subgraph}:${type}.${field}`) ?? NOTHING,
    /** Whether it has to be told of a field; keys it always has. */
    isExternal: (subgraph, type, field) => external.has(`${subgraph}:${type}.${field}`),
    typeOf: (subgraph, type, field) => types.get(`${subgraph}:${type}.${field}`) ?? types.get(`${type}.${field}`) ?? '',
    rootType: (operation) => roots.get(operation) ?? '',
  };
}

function isTrue(value: ValueNode | undefined): boolean {
  return value?.kind === Kind.BOOLEAN && value.value;
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type);
}

/** Of a selection without spreads of fragments. */
export function pathsOf(set: SelectionSetNode, prefix = ''): Set<string> {
  const paths = new Set<string>();
  for (const selection of set.selections) {
    if (selection.kind === Kind.FRAGMENT_SPREAD) continue;
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      for (const path of pathsOf(selection.selectionSet, prefix)) paths.add(path);
      continue;
    }
    const path = `${prefix}${selection.name.value}`;
    if (selection.name.value !== '__typename') paths.add(path);
    if (selection.selectionSet === undefined) continue;
    for (const below of pathsOf(selection.selectionSet, `${path}.`)) paths.add(below);
  }
  return paths;
}
