import { GraphQLBoolean, GraphQLFloat, GraphQLID, GraphQLInt, GraphQLString, isEnumType } from 'graphql';
import type { GraphQLLeafType } from 'graphql';

/** The value as clients get it; undefined where it is none of the type. */
export type SerializeLeaf = (value: unknown) => unknown;

const MAX_INT = 2_147_483_647;
const MIN_INT = -2_147_483_648;

const BUILT_IN: Readonly<Record<string, SerializeLeaf>> = {
  [GraphQLInt.name]: (value) =>
    typeof value === 'number' && Number.isInteger(value) && value <= MAX_INT && value >= MIN_INT ? value : undefined,
  [GraphQLFloat.name]: (value) => (typeof value === 'number' ? value : undefined),
  [GraphQLBoolean.name]: (value) => (typeof value === 'boolean' ? value : undefined),
  [GraphQLString.name]: (value) => (typeof value === 'string' ? value : undefined),
  // The specification lets a service keep its ids as numbers; clients read strings (section 3.5.5).
  [GraphQLID.name]: (value) =>
    typeof value === 'string' ? value : Number.isSafeInteger(value) ? String(value) : undefined,
};

/**
 * Checks what a subgraph answered for a leaf (GraphQL specification, sections 3.5 and 3.9). A subgraph has
 * coerced it already: a value of another kind is a fault, and so is an enum value that clients may not know.
 * Scalars of the schema's own pass as they are.
 */
export function leafSerializer(type: GraphQLLeafType): SerializeLeaf {
  if (isEnumType(type)) {
    const values = new Set<unknown>(type.getValues().map(({ name }) => name));
    return (value) => (values.has(value) ? value : undefined);
  }
  return BUILT_IN[type.name] ?? ((value) => value);
}
