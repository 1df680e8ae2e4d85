import type { GraphQLDataSource } from '@apollo/gateway';
// The package's root brings composition and the managers of supergraphs along: twice the time to load.
import { executeQueryPlan } from '@apollo/gateway/dist/executeQueryPlan.js';
import type { QueryPlan } from '@apollo/query-planner';
import type { Logger } from '@timbre/platform/logger';
import { GraphQLError } from 'graphql';
import { nullDenied } from '../auth/null-denied.ts';
import type { PreparedOperation } from '../operations/prepare-operation.ts';
import { SubgraphFailure } from '../subgraphs/subgraph-transport.ts';
import type { SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { clientErrors } from './client-errors.ts';
import { failedFetch } from './failed-fetch.ts';

export interface PlanExecution {
  supergraph: LoadedSupergraph;
  prepared: PreparedOperation;
  /** Other than the prepared one for the events of a subscription. */
  plan?: QueryPlan;
  /** @throws SubgraphFailure */
  fetch: (request: SubgraphRequest) => Promise<SubgraphResponse>;
  requestId: string;
  log: Logger;
}

export interface ExecutionOutcome {
  data: Record<string, unknown> | null;
  errors?: GraphQLError[];
}

type ExecutorContext = Parameters<typeof executeQueryPlan>[2];

/**
 * Executes a plan and shapes the response by the original operation. Never rejects because of a
 * subgraph: one that is down nulls its fields, with an error at each, and leaves the rest alone.
 */
export async function executePlan(execution: PlanExecution): Promise<ExecutionOutcome> {
  const { supergraph, prepared, plan = prepared.plan, requestId, log } = execution;
  const { shape } = prepared;
  const { apiSchema, supergraphSchema } = supergraph.stock();
  const result = await executeQueryPlan(
    plan,
    serviceMap(execution),
    executorContext(execution),
    {
      schema: supergraph.schema,
      operation: shape.operation,
      fragments: Object.fromEntries(shape.fragments),
    },
    supergraphSchema,
    apiSchema,
  );

  const shaped: Record<string, unknown> | null = result.data ?? null;
  const denied =
    prepared.denied.size === 0
      ? { data: shaped, errors: [] }
      : nullDenied(shaped, { ...prepared, typeAlias: shape.typeAlias }, supergraph.schema);
  const options = { data: denied.data, requestId, log };
  const errors = [
    ...denied.errors,
    ...clientErrors(result.errors ?? [], options),
    ...(prepared.denied.size === 0 ? completionErrors(result.extensions) : []),
  ];
  return errors.length === 0 ? { data: denied.data } : { data: denied.data, errors };
}

function serviceMap({ supergraph, fetch }: PlanExecution): Record<string, GraphQLDataSource> {
  return Object.fromEntries(
    supergraph.subgraphs.map(({ name }): [string, GraphQLDataSource] => [
      name,
      {
        async process({ request: { query = '', operationName, variables } }) {
          const kind = query.startsWith('mutation') ? 'mutation' : 'query';
          const request: SubgraphRequest = { operation: { subgraph: name, kind, query, operationName }, variables };
          const { data, errors } = await fetch(request).catch((error: unknown) => {
            if (error instanceof SubgraphFailure) return failedFetch(request, error);
            throw error;
          });
          return { data: data ?? null, ...(errors === undefined ? {} : { errors }) };
        },
      },
    ]),
  );
}

/**
 * What a subgraph sent that does not fit the schema and became null. The stock executor hides these in
 * `extensions.valueCompletion` and the specification wants them among the errors (section 6.4.4). Not
 * told where fields were taken out: there they would name what is missing.
 */
function completionErrors(extensions: Readonly<Record<string, unknown>> | undefined): GraphQLError[] {
  const found = extensions?.['valueCompletion'];
  if (!Array.isArray(found)) return [];
  return found
    .filter((error) => error instanceof GraphQLError)
    .map(({ message, path }) => {
      return new GraphQLError(message, { path: path ?? null, extensions: { code: 'INTERNAL_SERVER_ERROR' } });
    });
}

/** Of the request context of Apollo Server that its type asks for, the executor reads these. */
function executorContext({ prepared, log }: PlanExecution): ExecutorContext {
  const context: Pick<ExecutorContext, 'request' | 'metrics' | 'logger' | 'context'> = {
    request: { variables: { ...prepared.variables } },
    metrics: {},
    logger: log,
    context: {},
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest cannot be made without Apollo Server
  return context as ExecutorContext;
}
