import type { QueryPlan } from '@apollo/query-planner';
import { getVariableValues, print } from 'graphql';
import type { FieldNode, OperationDefinitionNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { accessKey, createAccess } from '../auth/access.ts';
import type { Access } from '../auth/access.ts';
import { filterOperation } from '../auth/filter-operation.ts';
import type { FilteredOperation, FragmentMap } from '../auth/filter-operation.ts';
import type { Principal } from '../auth/principal.ts';
import { withTypeAliases } from '../auth/shaping-document.ts';
import { estimateCost } from '../demand/estimate-cost.ts';
import type { OperationLimits } from '../limits/operation-limits.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { checkConditions } from './conditions.ts';
import { usesIntrospection } from './introspection.ts';
import { parseDocument, selectOperation } from './parse-document.ts';
import type { ParsedDocument } from './parse-document.ts';
import { documentOf, planOperation } from './plan-operation.ts';
import { refusal, refusalOf } from './refusal.ts';
import type { OperationRefused } from './refusal.ts';

/** What a client sends, by whatever transport; its shape has been checked, nothing else. */
export interface OperationRequest {
  query: string;
  operationName?: string | null | undefined;
  variables?: Readonly<Record<string, unknown>> | null | undefined;
}

/** Ready to be executed for one principal and one set of variables. */
export interface PreparedOperation {
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
  denied: ReadonlySet<FieldNode>;
  /** What the response is shaped by: the original operation, with type aliases where fields were taken out. */
  shape: { operation: OperationDefinitionNode; fragments: FragmentMap; typeAlias: string };
  plan: QueryPlan;
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
  cost: { maximum: number; defaultListSize: number } | null;
  mayIntrospect: (principal: Principal) => boolean;
  /** Entries of each cache; default 1,000. */
  cacheSize?: number;
  onPlan?: (outcome: 'hit' | 'miss') => void;
}

export type Prepare = (request: OperationRequest, principal: Principal) => Promise<PreparedOperation>;

interface Filtered extends FilteredOperation {
  /** What was filtered. Of the same parse as `denied`, whose members are known by identity. */
  original: { operation: OperationDefinitionNode; fragments: FragmentMap };
  shape: PreparedOperation['shape'];
  /** The filtered document as text: what plans are remembered by. */
  key: string;
}

const NO_PLAN: QueryPlan = { kind: 'QueryPlan' };
/**
 * Of each cache. A parsed document of nothing but short tokens takes 130 bytes a character: what anybody may send must
 * not fill the heap.
 */
const MAX_CACHED_CHARACTERS = 1_000_000;

/**
 * The one way from a document to a plan, for every transport: limits → validation → authorization →
 * cost → plan. What depends on the principal is remembered by what the principal may see, and plans
 * by the filtered document: by the original, an anonymous caller would be served an authenticated
 * caller's plan.
 */
export function createPrepare(supergraph: LoadedSupergraph, options: PrepareOptions): Prepare {
  const { schema, annotations } = supergraph;
  const { limits, cost, cacheSize = 1_000, onPlan } = options;
  const max = cacheSize;
  const bySize = { max, maxSize: MAX_CACHED_CHARACTERS, sizeCalculation: sizeOf };
  const parsedDocuments = new LRUCache<string, ParsedDocument>(bySize);
  const filteredOperations = new LRUCache<string, Filtered>(bySize);
  const plans = new LRUCache<string, QueryPlan>(bySize);
  const plannings = new Map<string, Promise<QueryPlan>>();
  const accesses = new LRUCache<string, Access>({ max });
  const accessKeys = new WeakMap<Principal, string>();

  function accessOf(principal: Principal): Access {
    let key = accessKeys.get(principal);
    if (key === undefined) {
      key = accessKey(principal, annotations);
      accessKeys.set(principal, key);
    }
    return remember(accesses, key, () => createAccess(principal, supergraph));
  }

  function filtered(parsed: ParsedDocument, operation: OperationDefinitionNode, access: Access): Filtered {
    const key = JSON.stringify([access.key, operation.name?.value ?? '', parsed.text]);
    return remember(filteredOperations, key, () => {
      const result = filterOperation(operation, parsed.fragments, schema, access);
      let typeAlias = '__runtimeType';
      while (parsed.text.includes(typeAlias)) typeAlias += '_';
      const original = { operation, fragments: parsed.fragments };
      const shape =
        result.denied.size === 0 ? original : withTypeAliases(operation, parsed.fragments, schema, typeAlias);
      const text = result.operation === null ? '' : print(documentOf(result.operation, result.fragments));
      return { ...result, original, shape: { ...shape, typeAlias }, key: text };
    });
  }

  async function planOf({ operation, key }: Filtered): Promise<QueryPlan> {
    if (operation === null) return NO_PLAN;
    const known = plans.get(key);
    onPlan?.(known === undefined ? 'miss' : 'hit');
    if (known !== undefined) return known;
    // Whoever asks for the same while it is being planned waits for that plan.
    let planning = plannings.get(key);
    if (planning === undefined) {
      planning = planOperation(key, supergraph)
        .then((plan) => {
          plans.set(key, plan);
          return plan;
        })
        .finally(() => plannings.delete(key));
      plannings.set(key, planning);
    }
    return planning;
  }

  async function prepare(request: OperationRequest, principal: Principal): Promise<PreparedOperation> {
    const mayIntrospect = options.mayIntrospect(principal);
    const parsed = remember(parsedDocuments, request.query, () =>
      parseDocument(request.query, { schema, limits, hideSuggestions: !mayIntrospect }),
    );
    const operation = selectOperation(parsed, request.operationName);
    if (!mayIntrospect && usesIntrospection(operation, parsed.fragments)) {
      throw refusal('INTROSPECTION_DISABLED', 'Introspection is not allowed here.');
    }
    const variables = request.variables ?? {};
    const coerced = coerce(supergraph, operation, variables);
    checkConditions(operation, parsed.fragments, coerced);

    const result = filtered(parsed, operation, accessOf(principal));
    let estimatedCost: number | null = null;
    if (cost !== null) {
      const { defaultListSize, maximum } = cost;
      const input = { fragments: result.fragments, schema, annotations, variables: coerced, defaultListSize };
      estimatedCost = result.operation === null ? 0 : estimateCost({ ...input, operation: result.operation });
      if (estimatedCost > maximum) throw tooExpensive(estimatedCost, maximum);
    }
    return {
      // Not `parsed`'s: that may be a later parse of the same text, the earlier one having left its cache.
      ...result.original,
      denied: result.denied,
      shape: result.shape,
      plan: await planOf(result),
      variables,
      coercedVariables: coerced,
      estimatedCost,
    };
  }

  return async (request, principal) => {
    try {
      return await prepare(request, principal);
    } catch (error) {
      // The limits bound every recursion that is known; what they miss is still the document's size.
      if (error instanceof RangeError) throw refusal('OPERATION_LIMIT_EXCEEDED', 'The operation nests too deep.');
      throw error;
    }
  };
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

function tooExpensive(estimated: number, maximum: number): OperationRefused {
  return refusal(
    'COST_ESTIMATED_TOO_EXPENSIVE',
    `The operation could cost ${estimated} points; at most ${maximum} are allowed.`,
    { cost: { estimated, max: maximum } },
  );
}

function remember<V extends object>(cache: LRUCache<string, V>, key: string, make: () => V): V {
  let value = cache.get(key);
  if (value === undefined) {
    value = make();
    cache.set(key, value);
  }
  return value;
}

function sizeOf(_value: unknown, key: string): number {
  return key.length + 1;
}
