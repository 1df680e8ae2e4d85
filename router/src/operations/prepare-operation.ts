import { withinSpan } from '@timbre/platform/telemetry/current-span';
import type { Span } from '@timbre/platform/telemetry/tracing';
import { OperationTypeNode } from 'graphql';
import type { FieldNode, OperationDefinitionNode } from 'graphql';
import { createAccesses } from '../auth/accesses.ts';
import type { Access } from '../auth/access.ts';
import type { AuthorizationOptions, ErrorPlacement } from '../auth/authorization.ts';
import { deniedPaths } from '../auth/denied-paths.ts';
import type { HeldPolicies } from '../auth/evaluate-policies.ts';
import { filterOperation } from '../auth/filter-operation.ts';
import type { FilteredOperation } from '../auth/filter-operation.ts';
import { ANONYMOUS_PRINCIPAL } from '../auth/principal.ts';
import type { Principal } from '../auth/principal.ts';
import { createVisibleSchema } from '../auth/visible-schema.ts';
import type { Costing } from '../demand/costing.ts';
import type { CostBySubgraph } from '../demand/operation-costs.ts';
import type { Variables } from '../demand/term.ts';
import type { Session } from '../engine.ts';
import { unauthorizedErrors } from '../execution/client-errors.ts';
import { isUnanswerable, makeExecutable } from '../execution/executable-operation.ts';
import type { ExecutableOperation } from '../execution/executable-operation.ts';
import { createHides } from '../execution/hidden-fetches.ts';
import { checkVariables } from '../limits/check-variables.ts';
import type { OperationLimits } from '../limits/operation-limits.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { createVariableCoercion } from './coerce-variables.ts';
import { checkConditions } from './conditions.ts';
import { deferConditions, labelDefers, withoutDefer } from './defers.ts';
import type { LabeledOperation } from './defers.ts';
import { createDocumentCache, remember } from './document-cache.ts';
import { usesIntrospection } from './introspection.ts';
import { parseDocument, selectOperation } from './parse-document.ts';
import type { ParsedDocument, ParseOptions } from './parse-document.ts';
import { createOverrides } from './overrides.ts';
import type { HoldsOverride } from './overrides.ts';
import { createPlans } from './plans.ts';
import type { OnPlan } from './plans.ts';
import { createSourceOf } from './planning-document.ts';
import { OperationRefused, refusal } from './refusal.ts';

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
  /** Null where nobody wants to know. */
  estimatedBySubgraph: CostBySubgraph | null;
  /** Subgraphs that are not called, since what is asked of them could cost too much. */
  overpriced: ReadonlySet<string> | null;
  /** The key of the Access that it was prepared for. */
  access: string;
  /** Whether policies had a say in it. */
  dependsOnPolicies: boolean;
  /** Whether the caller may still see the same of it; null where nothing changes that: without policies, or of what is over soon. */
  isStillAllowed: (() => boolean | Promise<boolean>) | null;
  /** What is done for it belongs to this span: given to it by who traces it. */
  span?: Span | undefined;
  /** Given to it by what chooses among supergraphs, which knows by it where it is to be executed. */
  origin?: object | undefined;
}

export interface PrepareOptions {
  limits: OperationLimits;
  /** Null: cost is neither computed nor enforced. */
  costing: Costing | null;
  mayIntrospect: (principal: Principal) => boolean;
  authorization?: AuthorizationOptions;
  /** Which policies hold; default none. */
  heldPolicies?: HeldPolicies;
  /** Told of each operation that asks for something that the caller may not see. */
  onUnauthorized?: (paths: readonly string[][], session: Session) => void;
  /** Entries of each cache; default 1,000. */
  cacheSize?: number;
  onPlan?: OnPlan;
  holdsOverride?: HoldsOverride;
}

/** For whom something is prepared before anybody asks. */
export interface WarmContext {
  /** The key of an Access. */
  access: string;
  incremental: boolean;
}

export interface Prepare {
  /** @throws OperationRefused */
  (request: DocumentRequest, session: Session): Promise<PreparedOperation>;
  /**
   * Does beforehand what does not depend on variables, so that the first who asks finds it done.
   *
   * @throws OperationRefused
   */
  warm(request: Pick<DocumentRequest, 'query' | 'operationName'>, context: WarmContext): Promise<void>;
}

/** What is known of an operation for everybody who may see the same of it, whatever the variables. */
interface Recipe extends LabeledOperation {
  access: Access;
  /** What is planned. */
  filtered: FilteredOperation;
  /** What of it is not allowed, and in a dry run asked for nevertheless. */
  unauthorized: ReadonlySet<FieldNode>;
  overrides: readonly string[];
  /** Null where cost is off. */
  estimate: ((coerced: Variables) => number) | null;
  /** Null until it has been planned. */
  executable: ExecutableOperation | null;
}

interface RecipeContext {
  access: Access;
  principal: Principal;
  incremental: boolean;
}

const NOTHING: ReadonlySet<FieldNode> = new Set();

/**
 * The one way from a document to something executable, for every transport: limits → validation → authorization →
 * cost → plan. What depends on the principal is remembered by what the principal may see, and plans
 * by the filtered document: by the original, an anonymous caller would be served an authenticated
 * caller's plan.
 */
export function createPrepare(supergraph: LoadedSupergraph, options: PrepareOptions): Prepare {
  const { schema } = supergraph;
  const { limits, costing, cacheSize = 1_000, onPlan = () => undefined } = options;
  const parsedDocuments = createDocumentCache<ParsedDocument>(cacheSize);
  const recipes = createDocumentCache<Recipe>(cacheSize);
  /** Of a document, for who asked last: most who ask may see the same, and a key with the document in it costs. */
  const latest = new WeakMap<ParsedDocument, Recipe>();
  const { authorization = {}, heldPolicies = () => [], onUnauthorized } = options;
  const { unauthorized = 'filter', dryRun = false, errors: { response: placement = 'errors' } = {} } = authorization;
  const visibleSchema = createVisibleSchema(schema);
  const accesses = createAccesses(supergraph, { heldPolicies, cacheSize });
  const sourceOf = createSourceOf(schema, supergraph.names);
  const plans = createPlans(supergraph, { sourceOf, cacheSize });
  const coerce = createVariableCoercion(schema);
  const overridesOf = createOverrides(supergraph.overrideLabels, options.holdsOverride);

  function recipeOf(
    parsed: ParsedDocument,
    operation: OperationDefinitionNode,
    coerced: Readonly<Record<string, unknown>>,
    { access, principal, incremental }: RecipeContext,
  ): Recipe {
    const defers = parsed.hasDefer ? deferConditions(operation, parsed.fragments, incremental ? coerced : null) : '';
    const overrides = overridesOf(principal);
    const isPlain = !parsed.hasDefer && overrides.length === 0;
    const last = isPlain ? latest.get(parsed) : undefined;
    if (last?.access === access && last.operation === operation) return last;
    const key = `${access.key}\n${overrides.join()}\n${operation.name?.value ?? ''}\n${defers}\n${parsed.text}`;
    const recipe = remember(recipes, key, (): Recipe => {
      const labeled = !parsed.hasDefer
        ? { operation, fragments: parsed.fragments, labels: new Map() }
        : incremental
          ? labelDefers(operation, parsed.fragments, coerced)
          : withoutDefer(operation, parsed.fragments);
      const allowed = filterOperation(labeled.operation, labeled.fragments, {
        schema,
        access,
        isThorough: dryRun || unauthorized === 'reject',
      });
      const filtered = dryRun ? { ...labeled, denied: NOTHING } : allowed;
      const estimate = costing?.estimateOf(filtered) ?? null;
      return { ...labeled, access, filtered, unauthorized: allowed.denied, overrides, estimate, executable: null };
    });
    if (isPlain) latest.set(parsed, recipe);
    return recipe;
  }

  async function executableOf(recipe: Recipe, onLookup: OnPlan, span?: Span): Promise<ExecutableOperation> {
    if (recipe.executable !== null) return recipe.executable;
    const { access, filtered, overrides, operation, fragments, labels: deferLabels } = recipe;
    const plan = await withinSpan(span?.child('plan', 'internal'), () => plans.planOf(filtered, overrides, onLookup));
    const { denied } = filtered;
    const reported = dryRun ? recipe.unauthorized : NOTHING;
    const hides = dryRun ? () => false : createHides({ schema, access });
    const authorized = { denied, reported, hides, placement, visibleSchema: () => visibleTo(access) };
    const costs = costing?.costsOf(operation, plan) ?? null;
    const compiled = { schema, operation, fragments, plan, sourceOf, deferLabels, costs };
    recipe.executable ??= makeExecutable({ ...compiled, ...authorized });
    return recipe.executable;
  }

  /** @param suggestFrom a caller's own part of the schema; what is parsed is the same for all */
  function parse(query: string, suggestFrom: ParseOptions['suggestFrom']): ParsedDocument {
    return remember(parsedDocuments, query, () => parseDocument(query, { schema, limits, suggestFrom }));
  }

  /** In a dry run, what is not allowed is not hidden either. */
  const visibleTo = (access: Access) => (dryRun ? schema : visibleSchema(access));

  /** @throws OperationRefused where anything that is not allowed has the whole refused */
  function checkAuthorized(recipe: Recipe, session: Session): void {
    if (recipe.unauthorized.size === 0) return;
    const isRefused = unauthorized === 'reject' && !dryRun;
    if (onUnauthorized === undefined && !isRefused) return;
    const { operation, fragments, unauthorized: denied } = recipe;
    const paths = deniedPaths({ operation, fragments, denied }, schema);
    onUnauthorized?.(paths, session);
    if (isRefused) throw unauthorizedRefusal(paths, placement);
  }

  async function prepare(request: DocumentRequest, session: Session): Promise<PreparedOperation> {
    const mayIntrospect = options.mayIntrospect(session.principal);
    const ownSchema = () => visibleTo(accesses.withoutPolicies(session.principal));
    let parsed = parsedDocuments.get(request.query);
    const isNew = parsed === undefined;
    // One that is not valid is not remembered, and paid for each time.
    if (isNew) await session.payForNew?.();
    parsed ??= parse(request.query, mayIntrospect ? ownSchema : null);
    const operation = selectOperation(parsed, request.operationName);
    if (!mayIntrospect && usesIntrospection(operation, parsed.fragments)) {
      throw refusal('INTROSPECTION_DISABLED', 'Introspection is not allowed here.');
    }
    const variables = request.variables ?? {};
    checkVariables(variables, limits);
    const coercedVariables = coerce(operation, variables);
    checkConditions(operation, parsed.fragments, coercedVariables);

    const found = accesses.of(session, operation, parsed.fragments);
    const access = found instanceof Promise ? await found : found;
    const { principal, incremental = false } = session;
    const recipe = recipeOf(parsed, operation, coercedVariables, { access, principal, incremental });
    checkAuthorized(recipe, session);
    const estimatedCost = recipe.estimate?.(coercedVariables) ?? null;
    if (estimatedCost !== null) costing?.check(estimatedCost, principal);
    if (recipe.executable !== null) onPlan('hit');
    else if (!isNew) await session.payForNew?.();
    const executable = recipe.executable ?? (await executableOf(recipe, onPlan, session.span));
    if (isUnanswerable(executable, coercedVariables)) {
      throw refusal('SUBGRAPH_UNAVAILABLE', 'There is no subgraph that can answer the operation.');
    }
    const cost = costing?.planned(executable, { estimated: estimatedCost, coerced: coercedVariables, principal });
    return {
      operation: recipe.operation,
      executable,
      variables,
      coercedVariables,
      estimatedCost: cost?.estimatedCost ?? null,
      estimatedBySubgraph: cost?.estimatedBySubgraph ?? null,
      overpriced: cost?.overpriced ?? null,
      access: access.key,
      dependsOnPolicies: accesses.dependsOnPolicies(session, operation, parsed.fragments),
      isStillAllowed:
        operation.operation === OperationTypeNode.SUBSCRIPTION && supergraph.annotations.policies.size > 0
          ? () => isStill(access, accesses.of(session, operation, parsed.fragments))
          : null,
    };
  }

  async function warm({ query, operationName }: DocumentRequest, context: WarmContext): Promise<void> {
    const { incremental } = context;
    const access = accesses.byKey(context.access);
    const parsed = parse(query, null);
    const operation = selectOperation(parsed, operationName);
    const recipe = recipeOf(parsed, operation, {}, { access, principal: ANONYMOUS_PRINCIPAL, incremental });
    await executableOf(recipe, () => undefined);
  }

  const guarded = async (request: DocumentRequest, session: Session) => {
    try {
      return await prepare(request, session);
    } catch (error) {
      // The limits bound every recursion that is known; what they miss is still the document's size.
      if (error instanceof RangeError) throw refusal('OPERATION_LIMIT_EXCEEDED', 'The operation nests too deep.');
      throw error;
    }
  };
  return Object.assign(guarded, { warm });
}

function isStill({ key }: Access, now: Access | Promise<Access>): boolean | Promise<boolean> {
  return now instanceof Promise ? now.then((access) => access.key === key) : now.key === key;
}

/** Without data there is to be an error, wherever the paths go. */
function unauthorizedRefusal(paths: readonly string[][], placement: ErrorPlacement): OperationRefused {
  const { errors = unauthorizedErrors([null], 'errors').errors, extensions } = unauthorizedErrors(paths, placement);
  return new OperationRefused(errors ?? [], extensions === undefined ? {} : { extensions });
}
