import { GraphQLError, Kind, parse, recommendedRules, specifiedRules, validate } from 'graphql';
import type { DocumentNode, FragmentDefinitionNode, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import type { OperationLimits } from '../limits/operation-limits.ts';
import { measureOperations } from '../limits/measure-operation.ts';
import { scanDocument } from '../limits/scan-document.ts';
import { hasDefer } from './defers.ts';
import { refusal, refusalOf } from './refusal.ts';

/** A document that is within the limits and valid on the schema. */
export interface ParsedDocument {
  text: string;
  document: DocumentNode;
  operations: readonly OperationDefinitionNode[];
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  hasDefer: boolean;
}

export interface ParseOptions {
  schema: GraphQLSchema;
  limits: OperationLimits;
  /** The schema whose names a "Did you mean" may tell; null: no such names. */
  suggestFrom: (() => GraphQLSchema) | null;
}

const MAX_VALIDATION_ERRORS = 20;
/** What graphql-js reports when comparing the fields of an operation with each other goes beyond its budget. */
const VALIDATION_ABORTED = 'Validation aborted.';
const BOUNDS: ReadonlySet<unknown> = new Set(recommendedRules);
const RULES_WITHOUT_BOUNDS = specifiedRules.filter((rule) => !BOUNDS.has(rule));

/** @throws OperationRefused: GRAPHQL_PARSE_FAILED, OPERATION_LIMIT_EXCEEDED or GRAPHQL_VALIDATION_FAILED */
export function parseDocument(text: string, { schema, limits, suggestFrom }: ParseOptions): ParsedDocument {
  const document = parseWithin(text, limits);
  measureOperations(document, limits);

  const rules = limits.introspectionDepth ? specifiedRules : RULES_WITHOUT_BOUNDS;
  const maxErrors = MAX_VALIDATION_ERRORS;
  const errors = validate(schema, document, rules, { maxErrors, hideSuggestions: true });
  if (errors.some(({ message }) => message === VALIDATION_ABORTED)) {
    throw refusal('OPERATION_LIMIT_EXCEEDED', 'The operation repeats too many fields to be validated.');
  }
  if (errors.length > 0) {
    const suggesting = suggestFrom === null ? [] : validate(suggestFrom(), document, rules, { maxErrors });
    throw refusalOf(
      'GRAPHQL_VALIDATION_FAILED',
      errors.map((error) => withSuggestion(error, suggesting)),
    );
  }

  const fragments = new Map<string, FragmentDefinitionNode>();
  const operations: OperationDefinitionNode[] = [];
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition);
  }
  return { text, document, operations, fragments, hasDefer: hasDefer(document) };
}

/** The same error where it was found on the schema that may be suggested from, with what is suggested. */
function withSuggestion(error: GraphQLError, suggesting: readonly GraphQLError[]): GraphQLError {
  const [node] = error.nodes ?? [];
  return suggesting.find(({ message, nodes }) => nodes?.[0] === node && message.startsWith(error.message)) ?? error;
}

/** @throws OperationRefused: GRAPHQL_PARSE_FAILED or OPERATION_LIMIT_EXCEEDED */
export function parseWithin(text: string, limits: OperationLimits): DocumentNode {
  try {
    scanDocument(text, limits);
    return parse(text, { maxTokens: limits.maxTokens });
  } catch (error) {
    if (error instanceof GraphQLError) throw refusalOf('GRAPHQL_PARSE_FAILED', [error]);
    throw error;
  }
}

/** @throws OperationRefused with OPERATION_RESOLUTION_FAILURE where the name does not pick one operation */
export function selectOperation(parsed: ParsedDocument, name: string | null | undefined): OperationDefinitionNode {
  if (name === null || name === undefined || name === '') {
    const [only, ...others] = parsed.operations;
    if (only !== undefined && others.length === 0) return only;
    throw refusal(
      'OPERATION_RESOLUTION_FAILURE',
      only === undefined
        ? 'The document contains no operation.'
        : 'The document contains several operations: operationName must say which.',
    );
  }
  const named = parsed.operations.find((operation) => operation.name?.value === name);
  if (named === undefined) {
    throw refusal('OPERATION_RESOLUTION_FAILURE', `The document contains no operation named ${JSON.stringify(name)}.`);
  }
  return named;
}
