import { Kind, print, stripIgnoredCharacters, visit } from 'graphql';
import type { DirectiveNode, DocumentNode, FieldDefinitionNode, FieldNode, SelectionSetNode } from 'graphql';
import { graphOf, requiredSet, subgraphNames } from './join-fields.ts';
import { readPlannedNames } from './planned-names.ts';

/** By the path of a required field (real names, joined by dots): the names under which it is planned there. */
export type Wants = ReadonlyMap<string, ReadonlySet<string>>;

/** Fields that several `@requires` want with different arguments, each kept apart for the planner. */
export interface RequiresVariants {
  /** The supergraph for the planner, and for nobody else: each variant but the first is a field of its own. */
  document: DocumentNode;
  /** The real name of a field, by every name of a variant of it; the first variant's is the same. */
  realNames: ReadonlyMap<string, string>;
  /** Which variants the `@requires` of a field wants in a subgraph. */
  wantsOf: (subgraph: string, type: string, field: string) => Wants;
}

/** By field name and arguments, as text: the name of the variant. */
type VariantNames = ReadonlyMap<string, ReadonlyMap<string, string>>;

const NOTHING: Wants = new Map();

/**
 * The planner takes one response name for one field: where two `@requires` want `price(currency: USD)` and
 * `price(currency: EUR)` of one object, both would be given the last one's. Null where nothing of the kind can happen.
 *
 * Fields are told apart by name alone: a type whose `price` has no part in it may get a variant that nobody uses.
 */
export function separateVariants(document: DocumentNode): RequiresVariants | null {
  const names = nameVariants(argumentLists(document), readPlannedNames(document).fields);
  if (names.size === 0) return null;
  const realNames = new Map<string, string>();
  for (const [real, variants] of names) for (const name of variants.values()) realNames.set(name, real);
  const separated = addVariants(document, names);
  const wants = readWants(separated, realNames);
  return {
    document: separated,
    realNames,
    wantsOf: (subgraph, type, field) => wants.get(keyOf(subgraph, type, field)) ?? NOTHING,
  };
}

/** The distinct arguments with which each field is required. */
function argumentLists(document: DocumentNode): Map<string, Set<string>> {
  const lists = new Map<string, Set<string>>();
  visit(document, {
    Directive(directive) {
      const required = requiredSet(directive);
      if (required === null) return;
      visit(required, {
        Field(field) {
          const known = lists.get(field.name.value);
          if (known === undefined) lists.set(field.name.value, new Set([argumentsOf(field)]));
          else known.add(argumentsOf(field));
        },
      });
    },
  });
  return lists;
}

/** The field without arguments, else the first, keeps its name: others of that name may have no arguments at all. */
function nameVariants(lists: ReadonlyMap<string, ReadonlySet<string>>, taken: ReadonlySet<string>): VariantNames {
  const names = new Map<string, Map<string, string>>();
  for (const [field, list] of lists) {
    if (list.size < 2) continue;
    const variants = new Map<string, string>();
    let number = 1;
    for (const text of [...list].toSorted((a, b) => Number(a !== '') - Number(b !== ''))) {
      let name = variants.size === 0 ? field : `${field}__r${(number += 1)}`;
      while (variants.size > 0 && taken.has(name)) name = `${field}__r${(number += 1)}`;
      variants.set(text, name);
    }
    names.set(field, variants);
  }
  return names;
}

function addVariants(document: DocumentNode, names: VariantNames): DocumentNode {
  const withVariants = <T extends { readonly fields?: readonly FieldDefinitionNode[] | undefined }>(type: T): T => ({
    ...type,
    fields: type.fields?.flatMap((field) => [field, ...variantsOf(field, names)]),
  });
  return visit(document, {
    ObjectTypeDefinition: withVariants,
    InterfaceTypeDefinition: withVariants,
    Directive(directive) {
      const required = requiredSet(directive);
      return required === null ? undefined : withRequired(directive, renamed(required, names));
    },
  });
}

function variantsOf(field: FieldDefinitionNode, names: VariantNames): FieldDefinitionNode[] {
  const variants = names.get(field.name.value);
  if (variants === undefined || (field.arguments ?? []).length === 0) return [];
  return [...variants.values()]
    .filter((name) => name !== field.name.value)
    .map((value) => ({ ...field, name: { ...field.name, value } }));
}

function renamed(set: SelectionSetNode, names: VariantNames): SelectionSetNode {
  return visit(set, {
    Field(field) {
      const value = names.get(field.name.value)?.get(argumentsOf(field));
      return value === undefined ? undefined : { ...field, name: { ...field.name, value } };
    },
  });
}

function withRequired(directive: DirectiveNode, set: SelectionSetNode): DirectiveNode {
  const value = stripIgnoredCharacters(print(set)).slice(1, -1);
  const { arguments: args = [] } = directive;
  return {
    ...directive,
    arguments: args.map((argument) =>
      argument.name.value === 'requires' ? { ...argument, value: { kind: Kind.STRING, value } } : argument,
    ),
  };
}

function readWants(document: DocumentNode, realNames: ReadonlyMap<string, string>): Map<string, Wants> {
  const subgraphs = subgraphNames(document);
  const wants = new Map<string, Wants>();
  for (const type of document.definitions) {
    if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    for (const field of type.fields ?? []) {
      for (const directive of field.directives ?? []) {
        const required = requiredSet(directive);
        const graph = graphOf(directive);
        if (required === null || graph === null) continue;
        const wanted = new Map<string, Set<string>>();
        collectWants(required, '', realNames, wanted);
        const subgraph = subgraphs.get(graph) ?? graph;
        if (wanted.size > 0) wants.set(keyOf(subgraph, type.name.value, field.name.value), wanted);
      }
    }
  }
  return wants;
}

function collectWants(
  set: SelectionSetNode,
  path: string,
  realNames: ReadonlyMap<string, string>,
  wanted: Map<string, Set<string>>,
): void {
  for (const selection of set.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) collectWants(selection.selectionSet, path, realNames, wanted);
    if (selection.kind !== Kind.FIELD) continue;
    const name = selection.name.value;
    const real = realNames.get(name);
    const place = `${path}.${real ?? name}`;
    if (real !== undefined) wanted.set(place, new Set([...(wanted.get(place) ?? []), name]));
    if (selection.selectionSet !== undefined) collectWants(selection.selectionSet, place, realNames, wanted);
  }
}

function argumentsOf({ arguments: args = [] }: FieldNode): string {
  return args
    .map((argument) => stripIgnoredCharacters(print(argument)))
    .toSorted()
    .join(',');
}

function keyOf(subgraph: string, type: string, field: string): string {
  return `${subgraph}:${type}.${field}`;
}
