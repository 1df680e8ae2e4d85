import { Kind, visit } from 'graphql';
import type {
  ConstArgumentNode,
  ConstDirectiveNode,
  DocumentNode,
  EnumTypeDefinitionNode,
  FieldDefinitionNode,
  InterfaceTypeDefinitionNode,
  ObjectTypeDefinitionNode,
} from 'graphql';
import { addNames, argumentOf, graphOf, keyFields, requiredSet } from './join-fields.ts';

/** Fields of a subgraph that require others there. */
export interface Link {
  /** The value of the enum that stands for the subgraphs. */
  graph: string;
  fields: Set<string>;
  /** Those that have them. */
  types: Set<string>;
}

type ComposedType = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;

/**
 * Moves fields into a subgraph of their own. Beside them, that has a key by which the entity is entered, what is
 * required, and whatever objects the fields lead to; nothing of it is reached in another way. It has one key only: with
 * several, it would be a way from one to another, and so be asked of an entity before what is required is there.
 *
 * @param name free among the names of the subgraphs
 */
export function withLinkSubgraph(document: DocumentNode, link: Link, name: string): DocumentNode {
  const { graph } = link;
  const moved = ({ directives = [], ...node }: FieldDefinitionNode): FieldDefinitionNode => ({
    ...node,
    directives: directives.map((each) => (graphOf(each) === graph ? onGraph(each, name) : each)),
  });
  const copied = <T extends { readonly directives?: readonly ConstDirectiveNode[] | undefined }>(node: T): T => ({
    ...node,
    directives: node.directives?.flatMap((each) => (graphOf(each) === graph ? [each, onGraph(each, name)] : [each])),
  });

  function entered(type: ComposedType): ComposedType {
    const { directives = [], fields = [] } = type;
    const moving = fields.filter((each) => link.fields.has(each.name.value) && requires(each, graph));
    const own = directives.filter((each) => graphOf(each) === graph);
    const key = own.find(isKey);
    const joined = own.filter((each) => each === key || !isKey(each)).map((each) => onGraph(each, name));
    const beside = fieldsBeside(key, graph, moving);
    return {
      ...type,
      directives: [...directives, ...joined],
      fields: fields.map((each) => {
        if (moving.includes(each)) return moved(each);
        return beside.has(each.name.value) ? copied(each) : explicit(each, type);
      }),
    };
  }

  // What is below the field needs no keys, and has nothing that would have to be entered anew by one.
  function ledTo(type: ComposedType): ComposedType {
    return {
      ...type,
      directives: (copied(type).directives ?? []).map((each) => (graphOf(each) === name ? unresolvable(each) : each)),
      fields: (type.fields ?? []).map((each) => (isBound(each, graph) ? each : copied(each))),
    };
  }

  function composed(type: ComposedType): ComposedType {
    if (link.types.has(type.name.value)) return entered(type);
    const root = rootKind(document, type.name.value);
    if (root === null) return ledTo(type);
    const fields = (type.fields ?? []).map((each) => explicit(each, type));
    // Every subgraph has a query type: it is what entities are asked of.
    return root === 'query' ? { ...copied(type), fields } : { ...type, fields };
  }

  return visit(document, {
    ObjectTypeDefinition: composed,
    InterfaceTypeDefinition: composed,
    UnionTypeDefinition: copied,
    ScalarTypeDefinition: copied,
    InputObjectTypeDefinition: (type) => ({ ...copied(type), fields: (type.fields ?? []).map(copied) }),
    EnumTypeDefinition: (type) =>
      type.name.value === 'join__Graph'
        ? withGraph(type, graph, name)
        : { ...copied(type), values: type.values?.map(copied) },
  });
}

/** The key of an entity and what fields of it require; what is below these, too: it may be the same type again. */
function fieldsBeside(key: ConstDirectiveNode | undefined, graph: string, fields: readonly FieldDefinitionNode[]) {
  const names = keyFields(key === undefined ? [] : [key], graph);
  for (const directive of fields.flatMap((field) => field.directives ?? [])) {
    if (graphOf(directive) === graph) addNames(requiredSet(directive), names);
  }
  return names;
}

function isKey(directive: ConstDirectiveNode): boolean {
  return argumentOf(directive, 'key') !== undefined;
}

/** A field about which nothing is said is in every subgraph that has its type: here it is said. */
function explicit(field: FieldDefinitionNode, { directives = [] }: ComposedType): FieldDefinitionNode {
  const own = field.directives ?? [];
  if (own.some((each) => each.name.value === 'join__field')) return field;
  const graphs = new Set(directives.filter((each) => each.name.value === 'join__type').map(graphOf));
  const joined = [...graphs].flatMap((graph) => (graph === null ? [] : [joinField(graph)]));
  return { ...field, directives: [...own, ...joined] };
}

function joinField(graph: string): ConstDirectiveNode {
  return { kind: Kind.DIRECTIVE, name: nameNode('join__field'), arguments: [graphArgument(graph)] };
}

function requires({ directives = [] }: FieldDefinitionNode, graph: string): boolean {
  return directives.some((each) => graphOf(each) === graph && requiredSet(each) !== null);
}

function isBound(field: FieldDefinitionNode, graph: string): boolean {
  const takesContext = field.directives?.some(
    (each) => graphOf(each) === graph && argumentOf(each, 'contextArguments') !== undefined,
  );
  return takesContext === true || requires(field, graph);
}

function rootKind(document: DocumentNode, type: string): string | null {
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION) continue;
    for (const root of definition.operationTypes) if (root.type.name.value === type) return root.operation;
  }
  return null;
}

function withGraph(type: EnumTypeDefinitionNode, graph: string, name: string): EnumTypeDefinitionNode {
  return {
    ...type,
    values: (type.values ?? []).flatMap((value) => {
      if (value.name.value !== graph) return [value];
      const directives = (value.directives ?? []).map((each) =>
        withArgument(each, { kind: Kind.ARGUMENT, name: nameNode('name'), value: { kind: Kind.STRING, value: name } }),
      );
      return [value, { ...value, name: nameNode(name), directives }];
    }),
  };
}

function onGraph(directive: ConstDirectiveNode, graph: string): ConstDirectiveNode {
  return withArgument(directive, graphArgument(graph));
}

function unresolvable(directive: ConstDirectiveNode): ConstDirectiveNode {
  if (!isKey(directive)) return directive;
  const value = { kind: Kind.BOOLEAN, value: false } as const;
  return withArgument(directive, { kind: Kind.ARGUMENT, name: nameNode('resolvable'), value });
}

function withArgument(directive: ConstDirectiveNode, argument: ConstArgumentNode): ConstDirectiveNode {
  const others = (directive.arguments ?? []).filter((each) => each.name.value !== argument.name.value);
  return { ...directive, arguments: [...others, argument] };
}

function graphArgument(graph: string): ConstArgumentNode {
  return { kind: Kind.ARGUMENT, name: nameNode('graph'), value: { kind: Kind.ENUM, value: graph } };
}

function nameNode(value: string) {
  return { kind: Kind.NAME, value } as const;
}
