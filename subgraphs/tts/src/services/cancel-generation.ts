import { settle } from '@timbre/db/ledger/settle';
import { lockOwnGenerations } from '../repos/generations.ts';
import type { Deps } from './deps.ts';
import { CANCELED_HINT, notify } from './notify.ts';
import { invalid, type Refused } from './refusal.ts';
import { endGeneration } from './transitions.ts';

export interface Canceled {
  generationId: string | null;
  errors: Extract<Refused, { __typename: 'ValidationError' }>[];
}

/**
 * Ends a generation that waits or runs: what is not done yet costs nothing. Again is the same answer. One that has
 * ended otherwise stays as it is and is answered with GENERATION_FINISHED: whoever locks the row first decides.
 */
export async function cancelGeneration(deps: Deps, viewerId: string, id: string): Promise<Canceled> {
  const outcome = await deps.db.transaction(async (tx) => {
    const generation = (await lockOwnGenerations(tx, viewerId, [id])).get(id);
    if (!generation) return 'missing';
    if (generation.state !== 'QUEUED' && generation.state !== 'RUNNING') return generation.state;
    await endGeneration(tx, generation, { state: 'CANCELED' });
    await settle(tx, { generationId: id });
    return 'ended';
  });
  if (outcome === 'missing') {
    return { generationId: null, errors: [invalid('GENERATION_NOT_FOUND', 'There is no such generation.', ['id'])] };
  }
  if (outcome === 'ended') {
    await notify(deps, { generation: { id, ownerId: viewerId }, quota: true, payload: CANCELED_HINT });
    return { generationId: id, errors: [] };
  }
  if (outcome === 'CANCELED') return { generationId: id, errors: [] };
  const message = `The generation has ended already: it is ${outcome}.`;
  return { generationId: id, errors: [invalid('GENERATION_FINISHED', message, ['id'])] };
}
