import type {
  DeferNode,
  FetchDataRewrite,
  FetchNode,
  PlanNode,
  QueryPlan,
  QueryPlanSelectionNode,
} from '@apollo/query-planner';
import { OperationTypeNode } from 'graphql';
import { z } from 'zod';

/*
 * Plans come as JSON from another thread or from a shared cache: this is what the executor relies on.
 * Whatever else a plan carries (the parsed operations, which the planner leaves out by default) is dropped.
 */

const requiredSelection: z.ZodType<QueryPlanSelectionNode> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('Field'),
      alias: z.string().exactOptional(),
      name: z.string(),
      selections: z.array(requiredSelection).exactOptional(),
    }),
    z.object({
      kind: z.literal('InlineFragment'),
      typeCondition: z.string().exactOptional(),
      selections: z.array(requiredSelection),
    }),
  ]),
);

const keyRenamer = z.object({ kind: z.literal('KeyRenamer'), path: z.array(z.string()), renameKeyTo: z.string() });

const rewrite: z.ZodType<FetchDataRewrite> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ValueSetter'), path: z.array(z.string()), setValueTo: z.unknown() }),
  keyRenamer,
]);

const fetchNode = z.object({
  kind: z.literal('Fetch'),
  serviceName: z.string(),
  id: z.string().exactOptional(),
  hasDefers: z.boolean().exactOptional(),
  variableUsages: z.array(z.string()).exactOptional(),
  requires: z.array(requiredSelection).exactOptional(),
  operation: z.string(),
  // An operation without a name has no such key in JSON.
  operationName: z
    .string()
    .optional()
    .transform((name) => name),
  operationKind: z.enum(OperationTypeNode),
  inputRewrites: z.array(rewrite).exactOptional(),
  outputRewrites: z.array(rewrite).exactOptional(),
  contextRewrites: z.array(keyRenamer).exactOptional(),
}) satisfies z.ZodType<Omit<FetchNode, 'operationName'>>;

const planNode: z.ZodType<PlanNode> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('Sequence'), nodes: z.array(planNode) }),
    z.object({ kind: z.literal('Parallel'), nodes: z.array(planNode) }),
    fetchNode,
    z.object({ kind: z.literal('Flatten'), path: z.array(z.union([z.string(), z.number()])), node: planNode }),
    deferNode,
    z.object({
      kind: z.literal('Condition'),
      condition: z.string(),
      ifClause: planNode.exactOptional(),
      elseClause: planNode.exactOptional(),
    }),
  ]),
);

const deferNode = z.object({
  kind: z.literal('Defer'),
  primary: z.object({ subselection: z.string().exactOptional(), node: planNode.exactOptional() }),
  deferred: z.array(
    z.object({
      depends: z.array(z.object({ id: z.string(), deferLabel: z.string().exactOptional() })),
      label: z.string().exactOptional(),
      queryPath: z.array(z.string()),
      subselection: z.string().exactOptional(),
      node: planNode.exactOptional(),
    }),
  ),
}) satisfies z.ZodType<DeferNode>;

const subscriptionNode = z.object({
  kind: z.literal('Subscription'),
  primary: fetchNode,
  rest: planNode.exactOptional(),
});

const queryPlanSchema: z.ZodType<QueryPlan> = z.object({
  kind: z.literal('QueryPlan'),
  node: z.union([subscriptionNode, planNode]).exactOptional(),
});

/** @throws SyntaxError or ZodError on what is no plan */
export function parseQueryPlan(json: string): QueryPlan {
  return queryPlanSchema.parse(JSON.parse(json));
}
