/** Who may see a type or a field: all that is set must hold. */
export interface Requirement {
  authenticated: boolean;
  /** `@requiresScopes`: one of the inner lists must be held entirely; null where there is no such directive. */
  scopes: readonly (readonly string[])[] | null;
  /** `@policy`, read like the scopes. */
  policies: readonly (readonly string[])[] | null;
}

/** `@listSize` of the cost specification (ibm.github.io/graphql-specs/cost-spec.html, specs.apollo.dev/cost/v0.1). */
export interface ListSize {
  assumedSize: number | null;
  slicingArguments: readonly string[];
  sizedFields: readonly string[];
  requireOneSlicingArgument: boolean;
}

export interface FieldAnnotations {
  requirement: Requirement | null;
  /** Of what the field is made of by `@requires` and `@fromContext`: all of them must hold, too. */
  transitive: readonly Requirement[];
  cost: number | null;
  listSize: ListSize | null;
  argumentCosts: ReadonlyMap<string, number>;
}

export interface TypeAnnotations {
  requirement: Requirement | null;
  cost: number | null;
  /** Fields of objects and interfaces, and of input objects. */
  fields: ReadonlyMap<string, FieldAnnotations>;
}

/** What was split off the supergraph, by type name; only what is annotated is present. */
export interface AnnotationTable {
  types: ReadonlyMap<string, TypeAnnotations>;
  /** Every scope and policy that the supergraph names: nothing else about a principal can change what it may see. */
  scopes: ReadonlySet<string>;
  policies: ReadonlySet<string>;
}

export const NO_ANNOTATIONS: AnnotationTable = { types: new Map(), scopes: new Set(), policies: new Set() };
