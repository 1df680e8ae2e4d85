import { OperationTypeNode } from 'graphql';
import type { Engine, Session } from '../../engine.ts';
import { internalError } from '../../execution/client-errors.ts';
import type { OperationRequest } from '../../operations/prepare-operation.ts';
import { OperationRefused, refusal } from '../../operations/refusal.ts';
import type { RefusalResponse } from '../../operations/refusal.ts';
import type { Departure } from '../../subgraphs/subgraph-transport.ts';
import { responseOf } from '../results.ts';
import type { OperationEnd } from '../operation-end.ts';

export interface BatchOptions {
  engine: Engine;
  /** Of the client. */
  gone: Departure;
  /** Told of each operation. */
  onEnd: (end: OperationEnd) => void;
  onFailure: (error: unknown) => void;
}

export interface BatchResponse {
  /** A JSON array of the responses, in the order of the requests. */
  text: string;
  headers: Readonly<Record<string, string>>;
}

/** More would only wait for one another: a batch is not to get more of the router than so many requests would. */
const AT_ONCE = 5;
/** What an answer says of its caller, and not of itself. */
const OF_THE_CALLER = ['ratelimit', 'ratelimit-policy'];

/**
 * Runs operations that came together, a few at once and in no certain order. Each is prepared, charged and refused by
 * itself; `@defer` delivers nothing later, as no more than one answer goes out.
 */
export async function runBatch(
  requests: readonly OperationRequest[],
  session: Session,
  options: BatchOptions,
): Promise<BatchResponse> {
  const texts: string[] = [];
  const headers: Record<string, string> = {};
  let next = 0;
  const work = async () => {
    // Nobody waits for the rest of what a client left.
    while (next < requests.length && !options.gone.aborted) {
      const index = next;
      next += 1;
      const request = requests[index];
      if (request === undefined) return;
      const { body, headers: told } = await runMember(request, session, options);
      texts[index] = JSON.stringify(body);
      for (const name of OF_THE_CALLER) if (told?.[name] !== undefined) headers[name] = told[name];
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, requests.length) }, work));
  return { text: `[${texts.join(',')}]`, headers };
}

interface Member {
  body: object;
  headers: RefusalResponse['headers'];
}

async function runMember(
  request: OperationRequest,
  session: Session,
  { engine, gone, onEnd, onFailure }: BatchOptions,
): Promise<Member> {
  const started = performance.now();
  try {
    const prepared = await engine.prepare(request, session);
    const { operation } = prepared.operation;
    if (operation === OperationTypeNode.SUBSCRIPTION) {
      throw refusal('BAD_REQUEST', 'A subscription cannot be one of a batch: it needs a stream.');
    }
    const outcome = await engine.execute(
      prepared,
      operation === OperationTypeNode.QUERY ? { ...session, signal: gone } : session,
    );
    const { errors, cost } = outcome;
    onEnd({ session, prepared, started, outcome: errors === undefined ? 'ok' : 'errors', errors, cost: cost?.total });
    return { body: responseOf(outcome), headers: outcome.headers };
  } catch (error) {
    const isRefusal = error instanceof OperationRefused;
    if (!isRefusal) onFailure(error);
    const { errors, response } = isRefusal ? error : new OperationRefused([internalError(session.requestId)]);
    onEnd({ session, prepared: null, started, outcome: 'refused', errors });
    return { body: responseOf({ errors, extensions: response.extensions }), headers: response.headers };
  }
}
