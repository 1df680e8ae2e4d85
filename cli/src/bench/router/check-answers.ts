import { USER_SCOPES } from '@timbre/platform/scopes';
import { CommandError } from '../../run-command.ts';
import type { BenchIssuer } from '../bench-issuer.ts';
import { codesOf, postOperation, type Answer } from '../post-operation.ts';
import type { Contestant } from './contestants.ts';
import type { BenchGraph } from './graphs.ts';

/** Always the same question. @throws CommandError unless it is answered without errors */
export async function answerOf(
  graph: BenchGraph,
  { url, program }: Contestant,
  token: string,
): Promise<Answer['data']> {
  const request = { operationName: 'Q', query: graph.query, variables: { seed: 4711 } };
  const answer = await postOperation(url, request, token);
  if (answer.status !== 200 || answer.errors || !answer.data) {
    throw new CommandError(`${program.name} does not answer: ${JSON.stringify(answer).slice(0, 1_000)}`);
  }
  return answer.data;
}

/** That what our router is measured with is on. @throws CommandError that names the policy which is not */
export async function checkPolicies(graph: BenchGraph, { url }: Contestant, issuer: BenchIssuer): Promise<void> {
  const token = await issuer.sign();
  const refusals: [what: string, refused: boolean][] = [];
  const forged = `${token.slice(0, -8)}AAAAAAAA`;
  const query = { query: graph.query, variables: { seed: 1 } };
  refusals.push(['a forged token', (await postOperation(url, query, forged)).status === 401]);
  const costly = await postOperation(url, { query: graph.tooExpensive }, token);
  refusals.push(['a query that costs too much', codesOf(costly).includes('COST_ESTIMATED_TOO_EXPENSIVE')]);
  const many = await postOperation(url, { query: graph.tooManyAliases }, token);
  refusals.push(['too many aliases', many.data === undefined && many.errors !== undefined]);
  const narrow = await issuer.sign({ scopes: USER_SCOPES.filter((scope) => scope !== graph.scope) });
  const denied = await postOperation(url, query, narrow);
  refusals.push(['a field without its scope', codesOf(denied).includes('UNAUTHORIZED_FIELD_OR_TYPE')]);
  const passed = refusals.filter(([, refused]) => !refused).map(([what]) => what);
  if (passed.length > 0) throw new CommandError(`Our router did not refuse ${passed.join(', ')}.`);
}
