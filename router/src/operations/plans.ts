import { Kind, print } from 'graphql';
import type { SelectionSetNode } from 'graphql';
import type { FilteredOperation, FragmentMap } from '../auth/filter-operation.ts';
import { compilePlan } from '../execution/compile-plan.ts';
import type { CompiledPlan } from '../execution/compile-plan.ts';
import { isIncluded } from '../execution/executable-operation.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { createDocumentCache } from './document-cache.ts';
import { planOperation } from './plan-operation.ts';
import { planningDocument } from './planning-document.ts';
import type { SourceOf } from './planning-document.ts';
import { refusal } from './refusal.ts';

export interface Plans {
  /** @throws OperationRefused */
  planOf(filtered: FilteredOperation, overrides: readonly string[], onPlan: OnPlan): Promise<CompiledPlan>;
}

export interface PlansOptions {
  sourceOf: SourceOf;
  cacheSize: number;
}

/** Told whether a plan was there. */
export type OnPlan = (outcome: 'hit' | 'miss') => void;

const NOTHING_TO_FETCH: CompiledPlan = { step: null, primary: null };

/** Compiled plans, remembered by what was planned; who asks for one that is being made waits for it. */
export function createPlans(supergraph: LoadedSupergraph, { sourceOf, cacheSize }: PlansOptions): Plans {
  const plans = createDocumentCache<CompiledPlan>(cacheSize);
  const plannings = new Map<string, Promise<CompiledPlan>>();

  async function plan(
    document: string,
    overrides: readonly string[],
    { operation, fragments }: FilteredOperation,
  ): Promise<CompiledPlan> {
    const compiled = compilePlan(await planOperation(document, overrides, supergraph), supergraph.possibleTypes);
    const isEmpty = compiled.step === null && compiled.primary === null;
    if (isEmpty && operation !== null && asksForData(operation.selectionSet, fragments)) {
      throw refusal('SUBGRAPH_UNAVAILABLE', 'There is no subgraph that can answer the operation.');
    }
    return compiled;
  }

  return {
    async planOf(filtered, overrides, onPlan) {
      const { operation, fragments } = filtered;
      if (operation === null) return NOTHING_TO_FETCH;
      const document = print(planningDocument({ operation, fragments }, supergraph.schema, sourceOf));
      const key = [...overrides, document].join('\n');
      const known = plans.get(key);
      onPlan(known === undefined ? 'miss' : 'hit');
      if (known !== undefined) return known;
      let planning = plannings.get(key);
      if (planning === undefined) {
        planning = plan(document, overrides, filtered)
          .then((compiled) => {
            plans.set(key, compiled);
            return compiled;
          })
          .finally(() => plannings.delete(key));
        plannings.set(key, planning);
      }
      return planning;
    },
  };
}

/** Whether there is a root field that only a subgraph can answer, unless a condition leaves it out. */
function asksForData({ selections }: SelectionSetNode, fragments: FragmentMap): boolean {
  return selections.some((selection) => {
    if (!isIncluded(selection, {})) return false;
    if (selection.kind === Kind.FIELD) return !selection.name.value.startsWith('__');
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
    return fragment !== undefined && asksForData(fragment.selectionSet, fragments);
  });
}
