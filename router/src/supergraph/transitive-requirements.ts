import { Kind } from 'graphql';
import type { DirectiveNode, DocumentNode, FieldDefinitionNode, SelectionSetNode, TypeNode } from 'graphql';
import type { FieldAnnotations, Requirement, TypeAnnotations } from './annotations.ts';
import { argumentOf, fieldSet, requiredSet } from './join-fields.ts';

/** A type's annotations while they are read. */
export interface ReadType extends TypeAnnotations {
  fields: Map<string, FieldAnnotations>;
}

/** What a field is made of: fields of its own entity, or of a type around it that sets a context. */
interface Ingredients {
  type: string;
  set: SelectionSetNode;
}

/**
 * Adds to every field that is made of others by `@requires` or `@fromContext` what those require, and theirs.
 * Composition demands since 2.12 that such a field requires as much itself (MISSING_TRANSITIVE_AUTH_REQUIREMENTS);
 * supergraphs from before may hand out by it what the caller may not see.
 */
export function addTransitiveRequirements(types: Map<string, ReadType>, document: DocumentNode): void {
  if (![...types.values()].some(isRestricted)) return;
  const definitions = new Map<string, ReadonlyMap<string, FieldDefinitionNode>>();
  const implementations = new Map<string, string[]>();
  const contexts = new Map<string, string[]>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const name = definition.name.value;
    definitions.set(name, new Map((definition.fields ?? []).map((field) => [field.name.value, field])));
    for (const { name: implemented } of definition.interfaces ?? []) push(implementations, implemented.value, name);
    for (const directive of definition.directives ?? []) {
      const context = directive.name.value === 'context' ? stringOf(directive, 'name') : null;
      if (context !== null) push(contexts, context, name);
    }
  }

  const add = (requirement: Requirement | null | undefined, into: Set<Requirement>) => {
    if (requirement !== null && requirement !== undefined) into.add(requirement);
  };

  const collectField = (type: string, name: string, into: Set<Requirement>, seen: Set<FieldDefinitionNode>) => {
    const field = definitions.get(type)?.get(name);
    if (field === undefined) return;
    add(types.get(type)?.fields.get(name)?.requirement, into);
    add(types.get(namedType(field.type))?.requirement, into);
    if (seen.has(field)) return;
    seen.add(field);
    for (const inner of ingredientsOf(field, type, contexts)) collect(inner, into, seen);
  };

  const collect = ({ type, set }: Ingredients, into: Set<Requirement>, seen: Set<FieldDefinitionNode>): void => {
    add(types.get(type)?.requirement, into);
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        collect({ type: selection.typeCondition?.name.value ?? type, set: selection.selectionSet }, into, seen);
      }
      if (selection.kind !== Kind.FIELD) continue;
      const name = selection.name.value;
      for (const owner of [type, ...(implementations.get(type) ?? [])]) collectField(owner, name, into, seen);
      const field = definitions.get(type)?.get(name);
      if (field !== undefined && selection.selectionSet !== undefined) {
        collect({ type: namedType(field.type), set: selection.selectionSet }, into, seen);
      }
    }
  };

  for (const [type, fields] of definitions) {
    for (const [name, field] of fields) {
      const into = new Set<Requirement>();
      for (const ingredients of ingredientsOf(field, type, contexts)) collect(ingredients, into, new Set([field]));
      if (into.size > 0) annotate(types, { type, name }, [...into]);
    }
  }
}

function ingredientsOf(
  field: FieldDefinitionNode,
  type: string,
  contexts: ReadonlyMap<string, readonly string[]>,
): Ingredients[] {
  return (field.directives ?? []).flatMap((directive) => {
    const required = requiredSet(directive);
    return [...(required === null ? [] : [{ type, set: required }]), ...contextual(directive, contexts)];
  });
}

/** `@join__field(contextArguments: [{context:, selection:}])` */
function contextual(directive: DirectiveNode, contexts: ReadonlyMap<string, readonly string[]>): Ingredients[] {
  const list = directive.name.value === 'join__field' ? argumentOf(directive, 'contextArguments') : undefined;
  if (list?.kind !== Kind.LIST) return [];
  return list.values.flatMap((value) => {
    if (value.kind !== Kind.OBJECT) return [];
    const texts = new Map(
      value.fields.map((field) => [field.name.value, field.value.kind === Kind.STRING ? field.value.value : null]),
    );
    const selection = texts.get('selection') ?? null;
    const set = selection === null ? null : fieldSet(selection);
    return set === null ? [] : (contexts.get(texts.get('context') ?? '') ?? []).map((type) => ({ type, set }));
  });
}

function annotate(
  types: Map<string, ReadType>,
  { type, name }: { type: string; name: string },
  transitive: readonly Requirement[],
): void {
  const annotated = types.get(type) ?? { requirement: null, cost: null, fields: new Map() };
  const nothing = { requirement: null, cost: null, listSize: null, argumentCosts: new Map() };
  annotated.fields.set(name, { ...nothing, ...annotated.fields.get(name), transitive });
  types.set(type, annotated);
}

function isRestricted({ requirement, fields }: TypeAnnotations): boolean {
  return requirement !== null || [...fields.values()].some((field) => field.requirement !== null);
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}

function stringOf(directive: DirectiveNode, argument: string): string | null {
  const value = argumentOf(directive, argument);
  return value?.kind === Kind.STRING ? value.value : null;
}

function push(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
