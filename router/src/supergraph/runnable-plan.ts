import type { DeferNode, FetchNode, PlanNode, QueryPlan, QueryPlanSelectionNode } from '@apollo/query-planner';
import { parse, print, stripIgnoredCharacters, visit } from 'graphql';
import type { RequiresVariants } from './requires-variants.ts';
import { splitFetch } from './split-fetch.ts';

/**
 * A plan on a supergraph with variants made into one that subgraphs understand: `price__r2(…)` is fetched as
 * `price__r2: price(…)`, and a representation's field with the alias `price__r2` is read under that and sent as `price`.
 */
export function runnablePlan(plan: QueryPlan, variants: RequiresVariants): QueryPlan {
  const runnable = nodeMapper(variants);
  const { node } = plan;
  if (node === undefined) return plan;
  if (node.kind !== 'Subscription') return { ...plan, node: runnable(node) };
  const { primary, rest } = node;
  return {
    ...plan,
    node: {
      ...node,
      primary: withRealNames(primary, variants.realNames),
      ...(rest === undefined ? {} : { rest: runnable(rest) }),
    },
  };
}

function nodeMapper(variants: RequiresVariants): (node: PlanNode) => PlanNode {
  /** The ids of what a fetch became: what is deferred until that fetch waits for all of it. */
  const splitIds = new Map<string, string[]>();

  const fetches = (fetch: FetchNode): FetchNode[] => {
    const parts = splitFetch(fetch, variants).map((part) => withRealNames(part, variants.realNames));
    const { id } = fetch;
    if (id === undefined || parts.length === 1) return parts;
    const identified = parts.map((part, index) => ({ ...part, id: `${id}.${index}` }));
    splitIds.set(
      id,
      identified.map((part) => part.id),
    );
    return identified;
  };

  // What comes first in a plan goes first here: the ids that something deferred depends on are known then.
  const deferring = ({ primary, deferred, ...node }: DeferNode): DeferNode => ({
    ...node,
    primary: primary.node === undefined ? primary : { ...primary, node: runnable(primary.node) },
    deferred: deferred.map((part) => ({
      ...part,
      depends: part.depends.flatMap((one) => splitIds.get(one.id)?.map((id) => ({ ...one, id })) ?? [one]),
      ...(part.node === undefined ? {} : { node: runnable(part.node) }),
    })),
  });

  const runnable = (node: PlanNode): PlanNode => {
    if (node.kind === 'Fetch') return together(fetches(node));
    if (node.kind === 'Sequence' || node.kind === 'Parallel') return { ...node, nodes: node.nodes.map(runnable) };
    if (node.kind === 'Defer') return deferring(node);
    if (node.kind === 'Flatten') {
      return node.node.kind === 'Fetch'
        ? together(fetches(node.node).map((part) => ({ ...node, node: part })))
        : { ...node, node: runnable(node.node) };
    }
    const { ifClause, elseClause } = node;
    return {
      ...node,
      ...(ifClause === undefined ? {} : { ifClause: runnable(ifClause) }),
      ...(elseClause === undefined ? {} : { elseClause: runnable(elseClause) }),
    };
  };
  return runnable;
}

function together(nodes: PlanNode[]): PlanNode {
  const [first, ...others] = nodes;
  return first !== undefined && others.length === 0 ? first : { kind: 'Parallel', nodes };
}

function withRealNames(fetch: FetchNode, realNames: ReadonlyMap<string, string>): FetchNode {
  const { requires } = fetch;
  return {
    ...fetch,
    operation: realDocument(fetch.operation, realNames),
    ...(requires === undefined ? {} : { requires: requires.map((each) => readAs(each, realNames)) }),
  };
}

function realDocument(operation: string, realNames: ReadonlyMap<string, string>): string {
  if (![...realNames].some(([name, real]) => name !== real && operation.includes(name))) return operation;
  const document = visit(parse(operation, { noLocation: true }), {
    Field(field) {
      const name = field.name.value;
      const real = realNames.get(name) ?? name;
      if (real === name) return undefined;
      return { ...field, alias: field.alias ?? field.name, name: { ...field.name, value: real } };
    },
  });
  return stripIgnoredCharacters(print(document));
}

function readAs(selection: QueryPlanSelectionNode, realNames: ReadonlyMap<string, string>): QueryPlanSelectionNode {
  const { selections } = selection;
  if (selection.kind === 'InlineFragment') {
    return { ...selection, selections: selection.selections.map((each) => readAs(each, realNames)) };
  }
  const { name } = selection;
  const real = realNames.get(name) ?? name;
  return {
    ...selection,
    ...(real === name ? {} : { alias: name, name: real }),
    ...(selections === undefined ? {} : { selections: selections.map((each) => readAs(each, realNames)) }),
  };
}
