import { OperationTypeNode } from 'graphql';
import type { GraphQLSchema, SelectionNode } from 'graphql';
import type { CompiledPlan, FetchStep, PlanStep } from '../execution/compile-plan.ts';
import type { Path } from '../execution/places.ts';
import { conditionVariables, createByConditions, isIncluded } from '../operations/by-conditions.ts';
import { MUTATION_COST } from './cost-estimate.ts';
import { costOf, costTree } from './cost-tree.ts';
import type { CostNode, CostRules } from './cost-tree.ts';
import { fetchDocument, fetchSteps, planConditions } from './fetch-documents.ts';
import type { FetchDocument } from './fetch-documents.ts';
import type { CostBySubgraph } from './operation-costs.ts';
import type { Sized } from './sized-fields.ts';
import { largest, product, sum, valueOf } from './term.ts';
import type { Term, Variables } from './term.ts';

export interface FetchRules {
  /** For one subgraph. */
  rulesOf: (subgraph: string) => CostRules;
  /**
   * `places`: entities are as many as there are places for them, by the sizes of the lists around these; conditions decide
   * what counts. `list`: as many as a list about which nothing is said; conditions by variables are taken for true, and of
   * two steps between which a condition decides the dearer one counts.
   */
  entities: 'places' | 'list';
}

type Terms = ReadonlyMap<string, Term>;
type Combine = (a: Term, b: Term) => Term;

/** What the fetches of a plan may cost their subgraphs at most, together for each. */
export function createFetchEstimate(plan: CompiledPlan, rules: FetchRules): (coerced: Variables) => CostBySubgraph {
  if (rules.entities === 'list') {
    const { primary, step } = plan;
    return evaluated(byList(primary ?? step, rules));
  }
  const steps = fetchSteps(plan);
  const documents = steps.map((step) => fetchDocument(step).operation);
  const names = [...planConditions(plan.step), ...conditionVariables(documents, ['skip', 'include'])];
  const termsFor = createByConditions(names, (coerced) => evaluated(byPlaces(plan, coerced, rules)));
  return (coerced) => termsFor(coerced)(coerced);
}

function evaluated(terms: Terms): (coerced: Variables) => CostBySubgraph {
  const evaluate = (coerced: Variables) =>
    Object.fromEntries([...terms].map(([subgraph, term]) => [subgraph, valueOf(term, coerced)]));
  if (![...terms.values()].every((term) => typeof term === 'number')) return evaluate;
  const known = Object.freeze(evaluate({}));
  return () => known;
}

function combined(all: readonly Terms[], combine: Combine): Terms {
  const result = new Map<string, Term>();
  for (const terms of all) {
    for (const [subgraph, term] of terms) {
      const other = result.get(subgraph);
      result.set(subgraph, other === undefined ? term : combine(other, term));
    }
  }
  return result;
}

const added: Combine = (a, b) => sum([a, b]);
const dearer: Combine = (a, b) => largest([a, b]);

function baseOf({ operation }: FetchStep): number {
  return operation.kind === 'mutation' ? MUTATION_COST : 0;
}

function byList(step: PlanStep | null, rules: FetchRules): Terms {
  if (step === null) return new Map();
  if (step.kind === 'condition') return combined([byList(step.ifTrue, rules), byList(step.ifFalse, rules)], dearer);
  if (step.kind === 'defer') {
    return combined(
      [step.primary, ...step.deferred.map((part) => part.step)].map((each) => byList(each, rules)),
      added,
    );
  }
  if (step.kind !== 'fetch')
    return combined(
      step.steps.map((each) => byList(each, rules)),
      added,
    );
  const of = rules.rulesOf(step.operation.subgraph);
  const document = fetchDocument(step);
  const selected = costOf(treeOf(document, of, [], (selection) => isIncluded(selection, {})));
  const cost = document.entities === null ? selected : product(of.listSize, sum([1, selected]));
  return new Map([[step.operation.subgraph, sum([baseOf(step), cost])]]);
}

/** Follows the plan: what one fetch brings is where the next ones find their places. */
function byPlaces({ primary, step }: CompiledPlan, coerced: Variables, rules: FetchRules): Terms {
  const brought = new Map<string, CostNode[]>();
  const terms: Terms[] = [];

  const fetch = (each: FetchStep): void => {
    const { subgraph } = each.operation;
    const of = rules.rulesOf(subgraph);
    const document = fetchDocument(each);
    const place = placeAt(each.path, brought, of.listSize);
    const tree = treeOf(document, of, place.sized, (selection) => isIncluded(selection, coerced));
    const one = sum([weightOfEntity(document, of), costOf(tree)]);
    terms.push(
      new Map([[subgraph, sum([baseOf(each), document.entities === null ? costOf(tree) : product(place.count, one)])]]),
    );
    const key = keyOf(each.path);
    brought.set(key, [...(brought.get(key) ?? []), ...tree]);
  };
  const run = (each: PlanStep | null): void => {
    if (each === null) return;
    if (each.kind === 'fetch') fetch(each);
    else if (each.kind === 'condition') run(coerced[each.variable] === true ? each.ifTrue : each.ifFalse);
    else if (each.kind === 'defer')
      for (const part of [each.primary, ...each.deferred.map((one) => one.step)]) run(part);
    else for (const one of each.steps) run(one);
  };
  if (primary !== null) fetch(primary);
  run(step);
  return combined(terms, added);
}

function treeOf(
  { operation, fragments, entities }: FetchDocument,
  rules: CostRules,
  sized: readonly Sized[],
  included: (selection: SelectionNode) => boolean,
): CostNode[] {
  const root = rules.schema.getRootType(entities === null ? operation.operation : OperationTypeNode.QUERY);
  if (!root) return [];
  return costTree({ rules, fragments, isIncluded: included }, root, [entities ?? operation.selectionSet], sized);
}

/** The heaviest of the types that are asked for. */
function weightOfEntity({ entities }: FetchDocument, { schema, weights }: CostRules): number {
  const names = (entities?.selections ?? []).map((each) =>
    'typeCondition' in each ? each.typeCondition?.name.value : null,
  );
  const known = names.map((name) => typeOf(schema, name)).filter((type) => type !== undefined);
  return known.length === 0 ? 1 : Math.max(...known.map(weights.ofType));
}

function typeOf(schema: GraphQLSchema, name: string | null | undefined) {
  return name === null || name === undefined ? undefined : schema.getType(name);
}

const keyOf = (path: Path): string => path.filter((step) => step !== '@').join('.');

/** How many objects there may be at a place, and what is promised for the lists below. */
function placeAt(
  path: Path,
  brought: ReadonlyMap<string, readonly CostNode[]>,
  listSize: number,
): { count: Term; sized: readonly Sized[] } {
  let nodes = brought.get('') ?? [];
  let count: Term = 1;
  let sized: readonly Sized[] = [];
  for (let depth = 0; depth < path.length; depth += 1) {
    const name = path[depth];
    if (name === '@') continue;
    const here = nodes.filter((node) => node.name === name);
    const unknown = path[depth + 1] === '@' ? listSize : 1;
    count = product(count, here.length === 0 ? unknown : largest(here.map(({ size }) => size)));
    sized = here.flatMap((node) => node.sized);
    nodes = [...here.flatMap(({ children }) => children), ...(brought.get(keyOf(path.slice(0, depth + 1))) ?? [])];
  }
  return { count, sized };
}
