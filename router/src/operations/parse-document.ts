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
  /** Leave "Did you mean" out, which tells names of the schema to whoever may not introspect it. */
  hideSuggestions: boolean;
}

const MAX_VALIDATION_ERRORS = 20;
/** What graphql-js reports when comparing the fields of an operation with each other goes beyond its budget. */
const VALIDATION_ABORTED = 'Validation aborted.';
const BOUNDS: ReadonlySet<unknown> = new Set(recommendedRules);
const RULES_WITHOUT_BOUNDS = specifiedRules.filter((rule) => !BOUNDS.has(rule));

/** @throws OperationRefused: GRAPHQL_PARSE_FAILED, OPERATION_LIMIT_EXCEEDED or GRAPHQL_VALIDATION_FAILED */
export function parseDocument(text: string, { schema, limits, hideSuggestions }: ParseOptions): ParsedDocument {
  const document = parseWithin(text, limits);
  measureOperations(document, limits);

  const rules = limits.introspectionDepth ? specifiedRules : RULES_WITHOUT_BOUNDS;
  const errors = validate(schema, document, rules, { maxErrors: MAX_VALIDATION_ERRORS, hideSuggestions });
  if (errors.some(({ message }) => message === VALIDATION_ABORTED)) {
    throw refusal('OPERATION_LIMIT_EXCEEDED', 'The operation repeats too many fields to be validated.');
  }
  if (errors.length > 0) throw refusalOf('GRAPHQL_VALIDATION_FAILED', errors);

  const fragments = new Map<string, FragmentDefinitionNode>();
  const operations: OperationDefinitionNode[] = [];
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition);
  }
  return { text, document, operations, fragments, hasDefer: hasDefer(document) };
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
