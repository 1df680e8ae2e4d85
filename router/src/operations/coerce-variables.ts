import { coerceInputValue, getVariableValues, isInputType, isNonNullType, typeFromAST, valueFromAST } from 'graphql';
import type { GraphQLInputType, GraphQLSchema, OperationDefinitionNode, ValueNode } from 'graphql';
import { refusalOf } from './refusal.ts';

type Variables = Readonly<Record<string, unknown>>;

interface Declared {
  name: string;
  type: GraphQLInputType;
  defaultValue: ValueNode | undefined;
}

/** @throws OperationRefused BAD_USER_INPUT */
export type CoerceVariables = (operation: OperationDefinitionNode, variables: Variables) => Record<string, unknown>;

/**
 * Coerces variables by a schema, defaults included (GraphQL specification, section 6.1.2), as graphql-js does, which looks
 * for the types anew each time: here they stay with the operation. What is wrong with variables, it says.
 */
export function createVariableCoercion(schema: GraphQLSchema): CoerceVariables {
  const declarations = new WeakMap<OperationDefinitionNode, readonly Declared[]>();

  function declaredBy(operation: OperationDefinitionNode): readonly Declared[] {
    let declared = declarations.get(operation);
    if (declared === undefined) {
      declared = (operation.variableDefinitions ?? []).flatMap(({ variable, type: node, defaultValue }) => {
        const type = typeFromAST(schema, node);
        return isInputType(type) ? [{ name: variable.name.value, type, defaultValue }] : [];
      });
      declarations.set(operation, declared);
    }
    return declared;
  }

  return (operation, variables) => coerced(declaredBy(operation), variables) ?? asked(schema, operation, variables);
}

/** @returns null where anything is wrong */
function coerced(declared: readonly Declared[], variables: Variables): Record<string, unknown> | null {
  // Without a prototype: a variable may have any name.
  const values: Record<string, unknown> = Object.create(null);
  let isWrong = false;
  const onError = () => {
    isWrong = true;
  };
  for (const { name, type, defaultValue } of declared) {
    if (Object.hasOwn(variables, name)) {
      const value = variables[name];
      if (value === null && isNonNullType(type)) return null;
      values[name] = coerceInputValue(value, type, onError);
      if (isWrong) return null;
    } else if (defaultValue !== undefined) values[name] = valueFromAST(defaultValue, type);
    else if (isNonNullType(type)) return null;
  }
  return values;
}

function asked(schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Variables) {
  const { coerced: values, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables, {
    maxErrors: 20,
    // What may be suggested to whom is not known here.
    hideSuggestions: true,
  });
  if (values !== undefined) return values;
  throw refusalOf('BAD_USER_INPUT', errors ?? []);
}
