import type { QueryPlan } from '@apollo/query-planner';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { PlanningFailure } from '../supergraph/planner-link.ts';
import { refusal } from './refusal.ts';

/**
 * Plans the text of a document with one operation.
 *
 * @throws OperationRefused with OPERATION_LIMIT_EXCEEDED where the planner gives up on its size, with
 * GRAPHQL_VALIDATION_FAILED where it plans no such operation, with SERVICE_UNAVAILABLE where its thread ended
 */
export async function planOperation(
  document: string,
  overrides: readonly string[],
  { plan }: Pick<LoadedSupergraph, 'plan'>,
): Promise<QueryPlan> {
  try {
    return await plan(document, overrides);
  } catch (error) {
    if (!(error instanceof PlanningFailure)) throw error;
    const { reason, message } = error;
    if (reason === 'limit')
      throw refusal('OPERATION_LIMIT_EXCEEDED', `The operation is too large to be planned: ${message}`);
    if (reason === 'unsupported') throw refusal('GRAPHQL_VALIDATION_FAILED', message);
    throw refusal('SERVICE_UNAVAILABLE', 'The operation could not be planned now: try again.');
  }
}
