import type { FetchNode, PlanNode, SubscriptionNode } from '@apollo/query-planner';

/** Every fetch of a plan, whether or not it is always made. */
export function planFetches(node: PlanNode | SubscriptionNode | undefined): FetchNode[] {
  if (node === undefined) return [];
  if (node.kind === 'Fetch') return [node];
  if (node.kind === 'Flatten') return planFetches(node.node);
  if (node.kind === 'Sequence' || node.kind === 'Parallel') return node.nodes.flatMap(planFetches);
  if (node.kind === 'Condition') return [node.ifClause, node.elseClause].flatMap(planFetches);
  if (node.kind === 'Subscription') return [node.primary, node.rest].flatMap(planFetches);
  return [node.primary, ...node.deferred].flatMap((part) => planFetches(part.node));
}
