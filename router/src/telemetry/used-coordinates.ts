import { getNamedType, isEnumType, isInputObjectType, Kind, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { FragmentDefinitionNode, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import type { FragmentMap } from '../auth/filter-operation.ts';
import { deprecatedValues } from './deprecated-values.ts';

/** A part of a schema that an operation uses, by its schema coordinate (github.com/graphql/graphql-wg, RFC "Schema Coordinates"). */
export interface OperationUsage {
  /** Fields, arguments, input fields and enum values that stand in the document, each once. */
  coordinates: readonly string[];
  /** Deprecated input fields and enum values among the values of variables; null where their types have none. */
  inVariables: ((variables: Readonly<Record<string, unknown>>) => ReadonlySet<string>) | null;
}

export interface UsageInput {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
}

/** What an operation uses as the client wrote it: a field of an interface counts as the interface's. */
export function usageOf({ schema, operation, fragments }: UsageInput): OperationUsage {
  const coordinates = new Set<string>();
  const typeInfo = new TypeInfo(schema);
  const definitions = [operation, ...reachable(operation, fragments)];
  visit(
    { kind: Kind.DOCUMENT, definitions },
    visitWithTypeInfo(typeInfo, {
      Field() {
        const [parent, field] = [typeInfo.getParentType(), typeInfo.getFieldDef()];
        if (parent && field && !field.name.startsWith('__') && !parent.name.startsWith('__')) {
          coordinates.add(`${parent.name}.${field.name}`);
        }
      },
      Argument() {
        const [parent, field, argument] = [typeInfo.getParentType(), typeInfo.getFieldDef(), typeInfo.getArgument()];
        if (!argument || typeInfo.getDirective() || !parent || !field || field.name.startsWith('__')) return;
        coordinates.add(`${parent.name}.${field.name}(${argument.name}:)`);
      },
      ObjectField({ name }) {
        const parent = getNamedType(typeInfo.getParentInputType());
        if (isInputObjectType(parent)) coordinates.add(`${parent.name}.${name.value}`);
      },
      EnumValue({ value }) {
        const type = getNamedType(typeInfo.getInputType());
        if (isEnumType(type)) coordinates.add(`${type.name}.${value}`);
      },
    }),
  );
  return { coordinates: [...coordinates], inVariables: deprecatedValues(schema, operation) };
}

function reachable(operation: OperationDefinitionNode, fragments: FragmentMap): Set<FragmentDefinitionNode> {
  const found = new Set<FragmentDefinitionNode>();
  const look = (node: OperationDefinitionNode | FragmentDefinitionNode) => {
    visit(node, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (fragment === undefined || found.has(fragment)) return;
        found.add(fragment);
        look(fragment);
      },
    });
  };
  look(operation);
  return found;
}
