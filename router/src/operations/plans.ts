import { print } from 'graphql';
import type { FilteredOperation } from '../auth/filter-operation.ts';
import { compilePlan } from '../execution/compile-plan.ts';
import type { CompiledPlan } from '../execution/compile-plan.ts';
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

/** They are made one after the other: who would wait longer than clients do is told at once. */
const MAX_WAITING = 500;

const NOTHING_TO_FETCH: CompiledPlan = { step: null, primary: null };

/** Compiled plans, remembered by what was planned; who asks for one that is being made waits for it. */
export function createPlans(supergraph: LoadedSupergraph, { sourceOf, cacheSize }: PlansOptions): Plans {
  const plans = createDocumentCache<CompiledPlan>(cacheSize);
  const plannings = new Map<string, Promise<CompiledPlan>>();

  async function plan(document: string, overrides: readonly string[]): Promise<CompiledPlan> {
    return compilePlan(await planOperation(document, overrides, supergraph), supergraph);
  }

  return {
    async planOf(filtered, overrides, onPlan) {
      const { operation, fragments } = filtered;
      if (operation === null) return NOTHING_TO_FETCH;
      const document = print(planningDocument({ operation, fragments }, supergraph, sourceOf));
      const key = [...overrides, document].join('\n');
      const known = plans.get(key);
      onPlan(known === undefined ? 'miss' : 'hit');
      if (known !== undefined) return known;
      let planning = plannings.get(key);
      if (planning === undefined) {
        if (plannings.size >= MAX_WAITING) {
          throw refusal('SERVICE_UNAVAILABLE', `${MAX_WAITING} other operations wait to be planned: try again.`);
        }
        planning = plan(document, overrides)
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
