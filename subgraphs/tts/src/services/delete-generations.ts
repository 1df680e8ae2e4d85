import { AppError } from '@timbre/platform/errors';
import { deleteGenerationRows, lockOwnGenerations } from '../repos/generations.ts';
import { deleteUnusedRenderings } from '../repos/renderings.ts';
import type { Deps } from './deps.ts';
import { notify } from './notify.ts';
import { renderingPrefix } from './object-keys.ts';
import { invalid, type Refused } from './refusal.ts';

const MAX_IDS = 100;
const LATE_WRITE_SECONDS = 120;

export interface Deleted {
  deletedIds: string[];
  errors: Extract<Refused, { __typename: 'ValidationError' }>[];
}

/**
 * Deletes the viewer's own, with their sound unless another generation shares it. Those that wait or run must be
 * canceled first; what could be deleted is, whatever is wrong with the others.
 * @throws AppError BAD_USER_INPUT for more than 100 ids.
 */
export async function deleteGenerations(deps: Deps, viewerId: string, ids: readonly string[]): Promise<Deleted> {
  if (ids.length > MAX_IDS) {
    throw new AppError('BAD_USER_INPUT', `At most ${MAX_IDS} generations can be deleted at once, not ${ids.length}.`, {
      details: { argument: 'ids', maximum: MAX_IDS, sent: ids.length },
    });
  }
  const wanted = [...new Set(ids)];
  const errors: Deleted['errors'] = [];
  const deletedIds = await deps.db.transaction(async (tx) => {
    const rows = await lockOwnGenerations(tx, viewerId, wanted);
    const gone = wanted.filter((id) => {
      const row = rows.get(id);
      const path = ['ids', String(ids.indexOf(id))];
      if (!row) errors.push(invalid('GENERATION_NOT_FOUND', `There is no generation ${id.slice(0, 64)}.`, path));
      else if (row.state === 'QUEUED' || row.state === 'RUNNING') {
        errors.push(invalid('GENERATION_ACTIVE', `The generation ${id} is ${row.state}: cancel it first.`, path));
      } else return true;
      return false;
    });
    if (gone.length === 0) return [];
    await deleteGenerationRows(tx, gone);
    const renderingIds = new Set(gone.flatMap((id) => rows.get(id)?.renderingId ?? []));
    const unused = await deleteUnusedRenderings(tx, [...renderingIds]);
    if (unused.length > 0) {
      const prefixes = unused.map(({ ownerId, id }) => renderingPrefix(ownerId, id));
      await deps.jobs.enqueue(tx, 'tts.clean', { prefixes, keys: [] });
      // A worker may have been writing a chunk of a canceled one: what lands after the first cleaning goes with this.
      await deps.jobs.enqueue(tx, 'tts.clean', { prefixes, keys: [] }, { startAfterSeconds: LATE_WRITE_SECONDS });
    }
    return gone;
  });
  await Promise.all(deletedIds.map((id) => notify(deps, { generation: { id, ownerId: viewerId }, quota: false })));
  return { deletedIds, errors };
}
