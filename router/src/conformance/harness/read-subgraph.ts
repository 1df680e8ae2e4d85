import { Kind, parse, valueFromASTUntyped } from 'graphql';
import type {
  ConstDirectiveNode,
  DefinitionNode,
  FieldDefinitionNode,
  InterfaceTypeDefinitionNode,
  ObjectTypeDefinitionNode,
  SelectionSetNode,
} from 'graphql';

/** What the directives of subgraphs say that a resolver has to heed. */
export interface SubgraphFacts {
  /** By type. */
  keys: Map<string, { fields: SelectionSetNode; resolvable: boolean }[]>;
  /** By coordinate. */
  requires: Map<string, SelectionSetNode>;
  /** Coordinates that were taken away from the subgraph that the first part names. */
  overridden: { from: string; coordinate: string }[];
  /** Types by the context that they set. */
  contexts: Map<string, string[]>;
  /** By coordinate. */
  fromContext: Map<string, { argument: string; context: string; fields: SelectionSetNode }[]>;
}

/** Reads the federation directives of some SDL. */
export function readSubgraph(...sdl: string[]): SubgraphFacts {
  const facts: SubgraphFacts = {
    keys: new Map(),
    requires: new Map(),
    overridden: [],
    contexts: new Map(),
    fromContext: new Map(),
  };
  for (const definition of sdl.flatMap((text) => parse(text).definitions)) {
    if (!isComposite(definition)) continue;
    const type = definition.name.value;
    for (const args of argumentsOf(definition.directives, 'key')) {
      append(facts.keys, type, { fields: fieldSet(args['fields']), resolvable: args['resolvable'] !== false });
    }
    for (const args of argumentsOf(definition.directives, 'context')) {
      append(facts.contexts, String(args['name']), type);
    }
    for (const field of definition.fields ?? []) readField(facts, `${type}.${field.name.value}`, field);
  }
  return facts;
}

const isComposite = (node: DefinitionNode): node is ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode =>
  node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION;

function readField(facts: SubgraphFacts, coordinate: string, field: FieldDefinitionNode): void {
  for (const args of argumentsOf(field.directives, 'requires')) {
    facts.requires.set(coordinate, fieldSet(args['fields']));
  }
  for (const args of argumentsOf(field.directives, 'override')) {
    // With a label it is the router that decides.
    if (args['label'] === undefined) facts.overridden.push({ from: String(args['from']), coordinate });
  }
  for (const argument of field.arguments ?? []) {
    for (const args of argumentsOf(argument.directives, 'fromContext')) {
      const [, context = '', fields = ''] = /^\s*\$(\w+)\s*(.*)$/s.exec(String(args['field'])) ?? [];
      append(facts.fromContext, coordinate, { argument: argument.name.value, context, fields: selectionSet(fields) });
    }
  }
}

function argumentsOf(directives: readonly ConstDirectiveNode[] = [], name: string): Record<string, unknown>[] {
  return directives
    .filter((directive) => directive.name.value === name)
    .map(({ arguments: args = [] }) =>
      Object.fromEntries(args.map((arg) => [arg.name.value, valueFromASTUntyped(arg.value)])),
    );
}

function append<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  map.set(key, [...(map.get(key) ?? []), value]);
}

const fieldSet = (fields: unknown) => selectionSet(`{ ${String(fields)} }`);

function selectionSet(text: string): SelectionSetNode {
  const [operation] = parse(text.trim().startsWith('{') ? text : `{ ${text} }`, { noLocation: true }).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`No field set: ${text}`);
  return operation.selectionSet;
}
