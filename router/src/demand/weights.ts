import { getNamedType, isAbstractType, isCompositeType, isInterfaceType, isObjectType } from 'graphql';
import type { GraphQLCompositeType, GraphQLNamedType, GraphQLSchema } from 'graphql';
import type { AnnotationTable, FieldAnnotations, ListSize } from '../supergraph/annotations.ts';

/** What is said about the costs of types and fields. */
export interface Weights {
  /** Of a field itself; null where the type of what it gives decides. */
  ofField: (parent: GraphQLCompositeType, field: string) => number | null;
  /** Objects 1, leaves 0, or as they are annotated. */
  ofType: (type: GraphQLNamedType) => number;
  /** Of an argument itself. */
  ofArgument: (parent: GraphQLCompositeType, field: string, argument: string) => number | null;
  /** Of the field, or of the same field of each implementation: null where one of them has none. */
  listSizes: (parent: GraphQLCompositeType, field: string) => readonly (ListSize | null)[];
  /** Of an input object's field itself. */
  ofInputField: (type: string, field: string) => number | null;
  /** Whether anything is said about a type. */
  isAnnotated: (type: string) => boolean;
  /** Whether its weight is said, and no default. */
  isWeighted: (type: string) => boolean;
}

const NONE: readonly (ListSize | null)[] = [null];

/**
 * @param behindAbstract by the cost specification (section 5.5, 9.1.1), an interface or union weighs what the heaviest
 * of its types does, and so do an interface's fields; the Apollo Router takes them for 1, or 0 for leaves
 */
export function createWeights(
  schema: GraphQLSchema,
  annotations: AnnotationTable,
  behindAbstract: 'heaviest' | 'default',
): Weights {
  const fieldOf = (type: string, field: string): FieldAnnotations | undefined =>
    annotations.types.get(type)?.fields.get(field);
  const argumentWeight = (type: string, field: string, argument: string): number | undefined =>
    fieldOf(type, field)?.argumentCosts.get(argument);
  const implementations = (type: GraphQLCompositeType): readonly string[] =>
    isInterfaceType(type) && behindAbstract === 'heaviest' ? schema.getPossibleTypes(type).map(({ name }) => name) : [];

  const ofType = (type: GraphQLNamedType): number => {
    const own = annotations.types.get(type.name)?.cost ?? null;
    if (own !== null) return own;
    if (isAbstractType(type) && behindAbstract === 'heaviest') {
      const weights = schema.getPossibleTypes(type).map(ofType);
      return weights.length === 0 ? 1 : Math.max(...weights);
    }
    return isCompositeType(type) ? 1 : 0;
  };

  return {
    ofType,
    ofField(parent, field) {
      const own = fieldOf(parent.name, field)?.cost ?? null;
      if (own !== null || isObjectType(parent)) return own;
      const weights = implementations(parent).map((name) => fieldOf(name, field)?.cost ?? null);
      const known = weights.filter((weight) => weight !== null);
      if (known.length === 0 || !isInterfaceType(parent)) return null;
      const type = parent.getFields()[field]?.type;
      // Where one implementation says nothing, its field is as heavy as its type.
      const others = known.length < weights.length && type !== undefined ? [ofType(getNamedType(type))] : [];
      return Math.max(...known, ...others);
    },
    ofArgument(parent, field, argument) {
      const weights = [parent.name, ...implementations(parent)].map((name) => argumentWeight(name, field, argument));
      const known = weights.filter((weight) => weight !== undefined);
      return known.length === 0 ? null : Math.max(...known);
    },
    listSizes(parent, field) {
      const own = fieldOf(parent.name, field)?.listSize ?? null;
      if (own !== null) return [own];
      const sizes = implementations(parent).map((name) => fieldOf(name, field)?.listSize ?? null);
      return sizes.length === 0 ? NONE : sizes;
    },
    ofInputField: (type, field) => fieldOf(type, field)?.cost ?? null,
    isAnnotated: (type) => annotations.types.has(type),
    isWeighted: (type) => (annotations.types.get(type)?.cost ?? null) !== null,
  };
}
