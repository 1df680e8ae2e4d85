/** Bounds on an operation, checked before any work that grows with it. */
export interface OperationLimits {
  /** Lexical tokens of the document. */
  maxTokens: number;
  /** Fields below one another, fragments spread. */
  maxDepth: number;
  /** Aliased fields, fragments spread. */
  maxAliases: number;
  /** Fields of the operation itself, fragments spread. */
  maxRootFields: number;
  /** Fields altogether, fragments spread: a few nested fragments can stand for millions. */
  maxFields: number;
  /** Directives, fragments spread. */
  maxDirectives: number;
  /** Deferred fragments, fragments spread: each is delivered by itself. */
  maxDefers: number;
  /** Items of any one list, in variables and in the document. */
  maxListLength: number;
  /** Lists and objects within one another, in variables. */
  maxInputDepth: number;
  /** graphql-js's bound on nested lists of types in introspection. */
  introspectionDepth: boolean;
}

/** For any supergraph, where nobody has said what clients may send. */
export const GENEROUS_LIMITS: OperationLimits = {
  maxTokens: 100_000,
  maxDepth: 100,
  maxAliases: 1_000,
  maxRootFields: 1_000,
  maxFields: 50_000,
  maxDirectives: 5_000,
  maxDefers: 500,
  maxListLength: 10_000,
  maxInputDepth: 100,
  introspectionDepth: false,
};
