import type { FetchNode, QueryPlanSelectionNode } from '@apollo/query-planner';
import { Kind, parse, print, separateOperations, stripIgnoredCharacters, visit } from 'graphql';
import type {
  DocumentNode,
  FragmentDefinitionNode,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import type { RequiresVariants, Wants } from './requires-variants.ts';

/** Fields of entities that can be fetched with one representation of each entity. */
interface Part {
  /** `Type.field` of those that require a variant. */
  fields: Set<string>;
  wants: Map<string, ReadonlySet<string>>;
}

interface EntityField {
  type: string;
  name: string;
}

/**
 * The fetches to make in place of one that requires several variants of a field: a representation has room for one
 * of them. In the names of the planner still; a single fetch where nothing is in the way of it.
 */
export function splitFetch(fetch: FetchNode, variants: RequiresVariants): FetchNode[] {
  const { requires } = fetch;
  if (requires === undefined || !mentions(requires, variants.realNames)) return [fetch];
  const document = parse(fetch.operation, { noLocation: true });
  const fields = entityFields(document);
  const parts = partsOf(fields, fetch.serviceName, variants);
  const wanted = new Set(parts.flatMap(({ wants }) => [...wants.keys()]));
  const types = new Set(fields.map(({ type }) => type));
  const typeSent = sentTypes(fetch);

  return parts.map((part, index): FetchNode => {
    const isOfPart = ({ type, name }: EntityField) => {
      const owner = parts.findIndex((each) => each.fields.has(`${type}.${name}`));
      return Math.max(owner, 0) === index;
    };
    const ownTypes = new Set(fields.filter(isOfPart).map(({ type }) => type));
    const own = requires.filter((selection) => {
      const type = selection.kind === 'InlineFragment' ? typeSent(selection.typeCondition) : undefined;
      return type === undefined || !types.has(type) || ownTypes.has(type);
    });
    const narrowed = { ...fetch, requires: requiredBy(part.wants, wanted, own, variants.realNames) };
    return parts.length === 1 ? narrowed : withDocument(narrowed, documentOf(document, isOfPart));
  });
}

/** The type as which an entity is sent: where the subgraph has an interface object, that of the interface. */
function sentTypes({ inputRewrites = [] }: FetchNode): (type: string | undefined) => string | undefined {
  const sent = new Map<string, string>();
  for (const rewrite of inputRewrites) {
    const value: unknown = rewrite.kind === 'ValueSetter' ? rewrite.setValueTo : undefined;
    const [condition = '', name] = rewrite.path;
    if (name === '__typename' && typeof value === 'string') sent.set(condition.replace('... on ', ''), value);
  }
  return (type) => (type === undefined ? undefined : (sent.get(type) ?? type));
}

function mentions(selections: readonly QueryPlanSelectionNode[], names: ReadonlyMap<string, string>): boolean {
  return selections.some(
    (selection) =>
      (selection.kind === 'Field' && names.has(selection.name)) || mentions(selection.selections ?? [], names),
  );
}

/** Those without a variant of their own go with the first part. */
function partsOf(fields: readonly EntityField[], subgraph: string, variants: RequiresVariants): Part[] {
  const parts: Part[] = [];
  for (const { type, name } of fields) {
    const wants = variants.wantsOf(subgraph, type, name);
    if (wants.size === 0) continue;
    let part = parts.find((each) => agree(each.wants, wants));
    if (part === undefined) {
      part = { fields: new Set(), wants: new Map() };
      parts.push(part);
    }
    part.fields.add(`${type}.${name}`);
    for (const [path, names] of wants) part.wants.set(path, names);
  }
  return parts.length === 0 ? [{ fields: new Set(), wants: new Map() }] : parts;
}

function agree(one: Wants, other: Wants): boolean {
  return [...other].every(([path, names]) => {
    const known = one.get(path);
    return known === undefined || (known.size === names.size && [...names].every((name) => known.has(name)));
  });
}

/** What is left of a representation for a part. What no part wants is none of our business. */
function requiredBy(
  wants: Wants,
  wanted: ReadonlySet<string>,
  selections: readonly QueryPlanSelectionNode[],
  realNames: ReadonlyMap<string, string>,
  path = '',
): QueryPlanSelectionNode[] {
  return selections.flatMap((selection): QueryPlanSelectionNode[] => {
    if (selection.kind === 'InlineFragment') {
      const inner = requiredBy(wants, wanted, selection.selections, realNames, path);
      return inner.length === 0 ? [] : [{ ...selection, selections: inner }];
    }
    const place = `${path}.${realNames.get(selection.name) ?? selection.name}`;
    if (realNames.has(selection.name) && wanted.has(place) && wants.get(place)?.has(selection.name) !== true) return [];
    if (selection.selections === undefined) return [selection];
    const inner = requiredBy(wants, wanted, selection.selections, realNames, place);
    return inner.length === 0 ? [] : [{ ...selection, selections: inner }];
  });
}

/** The fields of the entities that a document asks for, with the types that they are asked for on. */
function entityFields(document: DocumentNode): EntityField[] {
  const fields: EntityField[] = [];
  documentOf(document, (field) => {
    fields.push(field);
    return true;
  });
  return fields;
}

/** The document with some fields of the entities only; fragments that stand directly in these are taken apart. */
function documentOf(document: DocumentNode, keeps: (field: EntityField) => boolean): DocumentNode {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const only = (set: SelectionSetNode, type: string): SelectionSetNode => ({
    ...set,
    selections: set.selections.flatMap((selection): SelectionNode[] => {
      if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        return name === '__typename' || keeps({ type, name }) ? [selection] : [];
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      if (fragment === undefined) return [selection];
      const { typeCondition, selectionSet } = fragment;
      const inner = only(selectionSet, typeCondition?.name.value ?? type);
      if (inner.selections.every((each) => each.kind === Kind.FIELD && each.name.value === '__typename')) return [];
      return [
        {
          kind: Kind.INLINE_FRAGMENT,
          ...(typeCondition === undefined ? {} : { typeCondition }),
          directives: selection.directives ?? [],
          selectionSet: inner,
        },
      ];
    }),
  });
  const operationOf = (operation: OperationDefinitionNode): OperationDefinitionNode => ({
    ...operation,
    selectionSet: {
      ...operation.selectionSet,
      selections: operation.selectionSet.selections.map((root) =>
        root.kind === Kind.FIELD && root.selectionSet !== undefined
          ? { ...root, selectionSet: only(root.selectionSet, '_Entity') }
          : root,
      ),
    },
  });
  return {
    ...document,
    definitions: document.definitions.map((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION ? operationOf(definition) : definition,
    ),
  };
}

/** The fetch with a smaller document: no fragments and variables are left that it does not use. */
function withDocument(fetch: FetchNode, document: DocumentNode): FetchNode {
  const [own = document] = Object.values(separateOperations(document));
  const used = new Set<string>();
  visit(own, {
    VariableDefinition: () => false,
    Variable: ({ name }) => void used.add(name.value),
  });
  const trimmed = visit(own, {
    VariableDefinition: ({ variable }) => (used.has(variable.name.value) ? undefined : null),
  });
  const { variableUsages = [], contextRewrites } = fetch;
  return {
    ...fetch,
    operation: stripIgnoredCharacters(print(trimmed)),
    variableUsages: variableUsages.filter((name) => used.has(name)),
    ...(contextRewrites && { contextRewrites: contextRewrites.filter(({ renameKeyTo }) => used.has(renameKeyTo)) }),
  };
}
