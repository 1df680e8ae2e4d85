import { Kind, visit } from 'graphql';
import type {
  DirectiveNode,
  DocumentNode,
  FieldDefinitionNode,
  InterfaceTypeDefinitionNode,
  ObjectTypeDefinitionNode,
} from 'graphql';
import { addNames, argumentOf, graphOf, keyFields, requiredSet, selectedSet } from './join-fields.ts';

type ComposedType = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;

/**
 * The supergraph without the fields that are external to some of its subgraphs and of no use there.
 * The planner takes a fetch for one that a subgraph can make if only the names of the fields are known there.
 *
 * @param graphs values of the enum that stands for the subgraphs
 */
export function withoutUnusedExternals(document: DocumentNode, graphs: ReadonlySet<string>): DocumentNode {
  const used = new Map([...graphs].map((graph) => [graph, new Set<string>()]));
  visit(document, {
    Directive(directive) {
      const names = used.get(graphOf(directive) ?? '');
      if (names === undefined) return;
      addNames(requiredSet(directive), names);
      addNames(selectedSet(directive, 'provides'), names);
    },
  });
  const stripped = (type: ComposedType): ComposedType => {
    const isUnused = (field: FieldDefinitionNode, directive: DirectiveNode): boolean => {
      const graph = graphOf(directive) ?? '';
      const names = isExternal(directive) ? used.get(graph) : undefined;
      if (names === undefined || names.has(field.name.value)) return false;
      return !keyFields(type.directives ?? [], graph).has(field.name.value);
    };
    return {
      ...type,
      fields: (type.fields ?? []).map((field) => ({
        ...field,
        directives: (field.directives ?? []).filter((directive) => !isUnused(field, directive)),
      })),
    };
  };
  return visit(document, { ObjectTypeDefinition: stripped, InterfaceTypeDefinition: stripped });
}

function isExternal(directive: DirectiveNode): boolean {
  const external = argumentOf(directive, 'external');
  return external?.kind === Kind.BOOLEAN && external.value;
}
