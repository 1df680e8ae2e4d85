import { Kind, parse, visit } from 'graphql';
import type { DirectiveNode, DocumentNode, SelectionSetNode, ValueNode } from 'graphql';

/* What composition writes on the types and fields of a supergraph: https://specs.apollo.dev/join/v0.5 */

/** What a `@join__field` requires. Null for one that requires nothing, and for any other directive. */
export function requiredSet(directive: DirectiveNode): SelectionSetNode | null {
  return selectedSet(directive, 'requires');
}

/** A set of fields that a `@join__field` has for an argument, null where it has none. */
export function selectedSet(directive: DirectiveNode, argument: 'requires' | 'provides'): SelectionSetNode | null {
  const value = directive.name.value === 'join__field' ? argumentOf(directive, argument) : undefined;
  return value?.kind === Kind.STRING ? fieldSet(value.value) : null;
}

/** @throws GraphQLError on what is no set of fields */
export function fieldSet(fields: string): SelectionSetNode | null {
  const text = fields.trimStart().startsWith('{') ? fields : `{${fields}}`;
  const [operation] = parse(text, { noLocation: true }).definitions;
  return operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : null;
}

/** The fields of the keys that a type has in a subgraph, and what is below these. */
export function keyFields(directives: readonly DirectiveNode[], graph: string): Set<string> {
  const names = new Set<string>();
  for (const directive of directives) {
    const key = graphOf(directive) === graph ? argumentOf(directive, 'key') : undefined;
    if (key?.kind === Kind.STRING) addNames(fieldSet(key.value), names);
  }
  return names;
}

/** Adds the names of all fields in a set, at any depth. */
export function addNames(set: SelectionSetNode | null, names: Set<string>): void {
  if (set !== null) visit(set, { Field: ({ name }) => void names.add(name.value) });
}

/** The value of the enum that stands for the subgraphs; null where a directive names none. */
export function graphOf(directive: DirectiveNode): string | null {
  const graph = argumentOf(directive, 'graph');
  return graph?.kind === Kind.ENUM ? graph.value : null;
}

/** Whether a `@join__type` is of a key by which its subgraph resolves nothing. */
export function isUnresolvable(directive: DirectiveNode): boolean {
  const resolvable = argumentOf(directive, 'resolvable');
  return directive.name.value === 'join__type' && resolvable?.kind === Kind.BOOLEAN && !resolvable.value;
}

export function argumentOf(directive: DirectiveNode, name: string): ValueNode | undefined {
  return directive.arguments?.find((argument) => argument.name.value === name)?.value;
}

/** Of the enum that stands for the subgraphs: the name of each. */
export function subgraphNames(document: DocumentNode): Map<string, string> {
  const names = new Map<string, string>();
  visit(document, {
    EnumValueDefinition({ name, directives = [] }) {
      const graph = directives.find((directive) => directive.name.value === 'join__graph');
      const value = graph === undefined ? undefined : argumentOf(graph, 'name');
      if (value?.kind === Kind.STRING) names.set(name.value, value.value);
    },
  });
  return names;
}
