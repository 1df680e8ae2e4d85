import { getNamedType, isEnumType, isInputObjectType, isInputType, typeFromAST } from 'graphql';
import type { GraphQLEnumType, GraphQLInputObjectType, GraphQLSchema, OperationDefinitionNode } from 'graphql';

type Holder = GraphQLInputObjectType | GraphQLEnumType;

/**
 * Finds deprecated input fields and enum values among the values of an operation's variables, by their schema
 * coordinates; null where the variables' types have none, so that only operations that can use them are looked through.
 */
export function deprecatedValues(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
): ((variables: Readonly<Record<string, unknown>>) => ReadonlySet<string>) | null {
  const holders: [string, Holder][] = [];
  for (const { variable, type } of variableDefinitions) {
    // The overloads of typeFromAST tell its shape and not its kind.
    const known: unknown = typeFromAST(schema, type);
    const named = isInputType(known) ? getNamedType(known) : null;
    if (isHolder(named) && holdsDeprecated(named)) holders.push([variable.name.value, named]);
  }
  if (holders.length === 0) return null;
  return (variables) => {
    const found = new Set<string>();
    for (const [name, type] of holders) collect(type, variables[name], found);
    return found;
  };
}

function isHolder(type: unknown): type is Holder {
  return isInputObjectType(type) || isEnumType(type);
}

function isDeprecated({ deprecationReason }: { deprecationReason?: string | null | undefined }): boolean {
  return typeof deprecationReason === 'string';
}

function holdsDeprecated(type: Holder, seen = new Set<Holder>()): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  if (isEnumType(type)) return type.getValues().some(isDeprecated);
  return Object.values(type.getFields()).some((field) => {
    const inner = getNamedType(field.type);
    return isDeprecated(field) || (isHolder(inner) && holdsDeprecated(inner, seen));
  });
}

/** Values have been coerced by then: they are of their types, and no deeper than the limits allow. */
function collect(type: Holder, value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(type, item, found);
    return;
  }
  if (isEnumType(type)) {
    const member = typeof value === 'string' ? type.getValue(value) : null;
    if (member && isDeprecated(member)) found.add(`${type.name}.${member.name}`);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const fields = type.getFields();
  for (const [name, given] of Object.entries(value)) {
    const field = fields[name];
    if (field === undefined) continue;
    if (isDeprecated(field)) found.add(`${type.name}.${name}`);
    const inner = getNamedType(field.type);
    if (isHolder(inner)) collect(inner, given, found);
  }
}
