import { createHash } from 'node:crypto';
import { getNamedType, isAbstractType, isCompositeType, isInterfaceType, isObjectType, Kind, parse } from 'graphql';
import type { FieldNode, GraphQLSchema, OperationDefinitionNode, SelectionSetNode } from 'graphql';
import type { SubgraphOperation } from '../subgraphs/subgraph-transport.ts';
import type { Containing } from './contained-entities.ts';

/** What is to be known of an operation for a subgraph before its answers can be kept. */
export interface FetchFacts {
  /** `entities`: one `_entities(representations: $representations)` and nothing beside it. */
  kind: 'root' | 'entities';
  /** The same for operations with the same subgraph and text, whatever their names. */
  hash: string;
  /** The root fields; of `entities`, `_entities` alone. */
  fields: readonly FieldNode[];
  /** What an answer (of `entities`, each entity) contains. */
  containing: Containing;
  /** The object types that can be in it; of `entities`, below the entity. */
  types: readonly string[];
}

const REPRESENTATIONS = 'representations';

/**
 * @returns null where nothing can be said of the operation: it selects what no client can see in a way that hides
 * which types its answers contain, or it asks about the subgraph itself
 */
export function fetchFacts(operation: SubgraphOperation, schema: GraphQLSchema): FetchFacts | null {
  const document = parse(operation.query, { noLocation: true });
  const [definition, ...others] = document.definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION || others.length > 0) return null;
  const hash = hashOf(operation);
  const entities = entitiesField(definition);
  const types = new Set<string>();
  if (entities?.selectionSet !== undefined) {
    const containing = containingOf(entities.selectionSet, null, { schema, types });
    return containing && { kind: 'entities', hash, fields: [entities], containing, types: [...types] };
  }
  const root = schema.getRootType(definition.operation)?.name;
  const containing = root === undefined ? null : containingOf(definition.selectionSet, root, { schema, types });
  const fields = definition.selectionSet.selections.filter((selection) => selection.kind === Kind.FIELD);
  if (containing === null || fields.length < definition.selectionSet.selections.length) return null;
  return { kind: 'root', hash, fields, containing, types: [...types] };
}

/** Not by the operation's name, which the client chooses. */
function hashOf({ subgraph, query }: SubgraphOperation): string {
  const text = query.replace(/^(query|mutation)\s+[_A-Za-z]\w*/, '$1');
  return createHash('sha256').update(`${subgraph}\n${text}`).digest('base64url').slice(0, 27);
}

function entitiesField({ selectionSet: { selections } }: OperationDefinitionNode): FieldNode | null {
  const [field, ...others] = selections;
  if (field?.kind !== Kind.FIELD || field.name.value !== '_entities' || others.length > 0) return null;
  if (field.alias !== undefined && field.alias.value !== '_entities') return null;
  const [argument] = field.arguments ?? [];
  const { value } = argument ?? {};
  return value?.kind === Kind.VARIABLE && value.name.value === REPRESENTATIONS ? field : null;
}

interface Walk {
  schema: GraphQLSchema;
  /** Gathers the object types. */
  types: Set<string>;
}

/** Null where a type cannot be told. */
function containingOf(set: SelectionSetNode, type: string | null, walk: Walk): Containing | null {
  const containing: Containing = { type, leaves: [], typenames: [], children: [] };
  return gather(set, type, containing, walk) ? containing : null;
}

function gather(set: SelectionSetNode, on: string | null, into: Containing, walk: Walk): boolean {
  return set.selections.every((selection) => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return false;
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return gather(selection.selectionSet, selection.typeCondition?.name.value ?? on, into, walk);
    }
    const name = selection.name.value;
    const response = selection.alias?.value ?? name;
    if (name === '__typename') {
      into.typenames.push(response);
      return true;
    }
    if (selection.selectionSet === undefined) {
      if ((selection.arguments ?? []).length === 0 && on !== null) into.leaves.push({ name, response, on });
      return !name.startsWith('_');
    }
    const returned = on === null ? null : returnedType(walk.schema, on, name);
    if (returned === null) return false;
    for (const each of objectTypes(walk.schema, returned)) walk.types.add(each);
    const inner = containingOf(selection.selectionSet, returned, walk);
    if (inner === null) return false;
    into.children.push({ response, containing: inner });
    return true;
  });
}

function returnedType(schema: GraphQLSchema, parent: string, field: string): string | null {
  const type = schema.getType(parent);
  if (!isObjectType(type) && !isInterfaceType(type)) return null;
  const returned = type.getFields()[field]?.type;
  if (returned === undefined) return null;
  const named = getNamedType(returned);
  return isCompositeType(named) ? named.name : null;
}

function objectTypes(schema: GraphQLSchema, name: string): string[] {
  const type = schema.getType(name);
  return isAbstractType(type) ? [name, ...schema.getPossibleTypes(type).map((each) => each.name)] : [name];
}
