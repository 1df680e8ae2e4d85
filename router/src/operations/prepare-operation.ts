import { withinSpan } from '@timbre/platform/telemetry/current-span';
import type { Span } from '@timbre/platform/telemetry/tracing';
import { getVariableValues } from 'graphql';
import type { OperationDefinitionNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { accessKey, createAccess } from '../auth/access.ts';
import type { Access } from '../auth/access.ts';
import { filterOperation } from '../auth/filter-operation.ts';
import type { FilteredOperation } from '../auth/filter-operation.ts';
import type { Principal } from '../auth/principal.ts';
import type { Costing } from '../demand/costing.ts';
import type { Variables } from '../demand/term.ts';
import { isUnanswerable, makeExecutable } from '../execution/executable-operation.ts';
import type { ExecutableOperation } from '../execution/executable-operation.ts';
import { checkVariables } from '../limits/check-variables.ts';
import type { OperationLimits } from '../limits/operation-limits.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { checkConditions } from './conditions.ts';
import { deferConditions, labelDefers, withoutDefer } from './defers.ts';
import type { LabeledOperation } from './defers.ts';
import { createDocumentCache, remember } from './document-cache.ts';
import { usesIntrospection } from './introspection.ts';
import { parseDocument, selectOperation } from './parse-document.ts';
import type { ParsedDocument } from './parse-document.ts';
import { createOverrides } from './overrides.ts';
import type { HoldsOverride } from './overrides.ts';
import { createPlans } from './plans.ts';
import type { OnPlan } from './plans.ts';
import { createSourceOf } from './planning-document.ts';
import { refusal, refusalOf } from './refusal.ts';

/** What a client sends, by whatever transport; its shape has been checked, nothing else. */
export interface OperationRequest {
  /** Absent where the extensions name a document that is known. */
  query?: string | undefined;
  operationName?: string | null | undefined;
  variables?: Readonly<Record<string, unknown>> | null | undefined;
  extensions?: Readonly<Record<string, unknown>> | null | undefined;
}

/** A request whose document is at hand. */
export interface DocumentRequest extends Omit<OperationRequest, 'extensions'> {
  query: string;
}

/** Ready to be executed for one principal and one set of variables. */
export interface PreparedOperation {
  operation: OperationDefinitionNode;
  executable: ExecutableOperation;
  /** As they were sent: subgraphs coerce them by their own schema. */
  variables: Readonly<Record<string, unknown>>;
  /** By the supergraph's schema, defaults included. */
  coercedVariables: Readonly<Record<string, unknown>>;
  /** Null where cost is off. */
  estimatedCost: number | null;
}

export interface PrepareOptions {
  limits: OperationLimits;
  /** Null: cost is neither computed nor enforced. */
  costing: Costing | null;
  mayIntrospect: (principal: Principal) => boolean;
  /** Entries of each cache; default 1,000. */
  cacheSize?: number;
  onPlan?: OnPlan;
  holdsOverride?: HoldsOverride;
}

export interface PrepareContext {
  principal: Principal;
  /** Whether the client reads what is delivered later; where it does not, nothing is deferred. */
  incremental: boolean;
  /** Of the preparation, where it is traced. */
  span?: Span | undefined;
}

export interface Prepare {
  /** @throws OperationRefused */
  (request: DocumentRequest, context: PrepareContext): Promise<PreparedOperation>;
  /**
   * Does beforehand what does not depend on variables, so that the first who asks finds it done.
   *
   * @throws OperationRefused
   */
  warm(request: Pick<DocumentRequest, 'query' | 'operationName'>, context: PrepareContext): Promise<void>;
}

/** What is known of an operation for everybody who may see the same of it, whatever the variables. */
interface Recipe extends LabeledOperation {
  filtered: FilteredOperation;
  overrides: readonly string[];
  /** Null where cost is off. */
  estimate: ((coerced: Variables) => number) | null;
  /** Null until it has been planned. */
  executable: ExecutableOperation | null;
}

/**
 * The one way from a document to something executable, for every transport: limits → validation → authorization →
 * cost → plan. What depends on the principal is remembered by what the principal may see, and plans
 * by the filtered document: by the original, an anonymous caller would be served an authenticated
 * caller's plan.
 */
export function createPrepare(supergraph: LoadedSupergraph, options: PrepareOptions): Prepare {
  const { schema, annotations } = supergraph;
  const { limits, costing, cacheSize = 1_000, onPlan = () => undefined } = options;
  const parsedDocuments = createDocumentCache<ParsedDocument>(cacheSize);
  const recipes = createDocumentCache<Recipe>(cacheSize);
  const accesses = new LRUCache<string, Access>({ max: cacheSize });
  const accessKeys = new WeakMap<Principal, string>();
  const sourceOf = createSourceOf(schema, supergraph.names);
  const plans = createPlans(supergraph, { sourceOf, cacheSize });
  const overridesOf = createOverrides(supergraph.overrideLabels, options.holdsOverride);

  function accessOf(principal: Principal): Access {
    let key = accessKeys.get(principal);
    if (key === undefined) {
      key = accessKey(principal, annotations);
      accessKeys.set(principal, key);
    }
    return remember(accesses, key, () => createAccess(principal, supergraph));
  }

  function recipeOf(
    parsed: ParsedDocument,
    operation: OperationDefinitionNode,
    coerced: Readonly<Record<string, unknown>>,
    { principal, incremental }: PrepareContext,
  ): Recipe {
    const access = accessOf(principal);
    const defers = parsed.hasDefer ? deferConditions(operation, parsed.fragments, incremental ? coerced : null) : '';
    const overrides = overridesOf(principal);
    const key = `${access.key}\n${overrides.join()}\n${operation.name?.value ?? ''}\n${defers}\n${parsed.text}`;
    return remember(recipes, key, () => {
      const labeled = !parsed.hasDefer
        ? { operation, fragments: parsed.fragments, labels: new Map() }
        : incremental
          ? labelDefers(operation, parsed.fragments, coerced)
          : withoutDefer(operation, parsed.fragments);
      const filtered = filterOperation(labeled.operation, labeled.fragments, schema, access);
      return { ...labeled, filtered, overrides, estimate: costing?.estimateOf(filtered) ?? null, executable: null };
    });
  }

  async function executableOf(recipe: Recipe, onLookup: OnPlan, span?: Span): Promise<ExecutableOperation> {
    if (recipe.executable !== null) return recipe.executable;
    const { filtered, overrides, operation, fragments, labels: deferLabels } = recipe;
    const plan = await withinSpan(span?.child('plan', 'internal'), () => plans.planOf(filtered, overrides, onLookup));
    const { denied } = filtered;
    recipe.executable ??= makeExecutable({ schema, operation, fragments, denied, plan, sourceOf, deferLabels });
    return recipe.executable;
  }

  function parse(query: string, mayIntrospect: boolean): ParsedDocument {
    return remember(parsedDocuments, query, () =>
      parseDocument(query, { schema, limits, hideSuggestions: !mayIntrospect }),
    );
  }

  async function prepare(request: DocumentRequest, context: PrepareContext): Promise<PreparedOperation> {
    const mayIntrospect = options.mayIntrospect(context.principal);
    const parsed = parse(request.query, mayIntrospect);
    const operation = selectOperation(parsed, request.operationName);
    if (!mayIntrospect && usesIntrospection(operation, parsed.fragments)) {
      throw refusal('INTROSPECTION_DISABLED', 'Introspection is not allowed here.');
    }
    const variables = request.variables ?? {};
    checkVariables(variables, limits);
    const coercedVariables = coerce(supergraph, operation, variables);
    checkConditions(operation, parsed.fragments, coercedVariables);

    const recipe = recipeOf(parsed, operation, coercedVariables, context);
    const estimatedCost = recipe.estimate?.(coercedVariables) ?? null;
    if (estimatedCost !== null) costing?.check(estimatedCost, context.principal);
    if (recipe.executable !== null) onPlan('hit');
    const executable = recipe.executable ?? (await executableOf(recipe, onPlan, context.span));
    if (isUnanswerable(executable, coercedVariables)) {
      throw refusal('SUBGRAPH_UNAVAILABLE', 'There is no subgraph that can answer the operation.');
    }
    return { operation: recipe.operation, executable, variables, coercedVariables, estimatedCost };
  }

  async function warm({ query, operationName }: DocumentRequest, context: PrepareContext): Promise<void> {
    const parsed = parse(query, options.mayIntrospect(context.principal));
    const recipe = recipeOf(parsed, selectOperation(parsed, operationName), {}, context);
    await executableOf(recipe, () => undefined);
  }

  const guarded = async (request: DocumentRequest, context: PrepareContext) => {
    try {
      return await prepare(request, context);
    } catch (error) {
      // The limits bound every recursion that is known; what they miss is still the document's size.
      if (error instanceof RangeError) throw refusal('OPERATION_LIMIT_EXCEEDED', 'The operation nests too deep.');
      throw error;
    }
  };
  return Object.assign(guarded, { warm });
}

function coerce(
  { schema }: LoadedSupergraph,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { coerced, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables, {
    maxErrors: 20,
  });
  if (coerced !== undefined) return coerced;
  throw refusalOf('BAD_USER_INPUT', errors ?? []);
}
