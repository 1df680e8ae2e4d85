import type { Db } from '@timbre/db/client';
import { readOwnGeneration } from '@timbre/db/tts/read-own-generation';
import { readVisibleVoice } from '@timbre/db/voices/read-visible-voice';
import { idType } from '@timbre/platform/ids';
import type { Loaders } from '../loaders.ts';
import type { ApiKeyRow, NodeRef, UserRow } from '../rows.ts';

/** `UserRow` with the name that tells it apart from the references. */
export type UserNode = UserRow & { __typename: 'User' };
export type ApiKeyNode = ApiKeyRow & { __typename: 'ApiKey' };

/** What the id's prefix says, if it exists and this viewer may see it; null otherwise, without a difference. */
export async function findNode(
  db: Db,
  loaders: Loaders,
  viewerId: string,
  id: string,
): Promise<UserNode | ApiKeyNode | NodeRef | null> {
  const type = idType(id);
  if (type === 'usr') {
    const user = await loaders.user.load(id);
    return user === null ? null : { __typename: 'User', ...user };
  }
  if (type === 'key') {
    const key = await loaders.apiKey.load(id);
    return key === null ? null : { __typename: 'ApiKey', ...key };
  }
  if (type === 'voi') {
    const voice = await readVisibleVoice(db, viewerId, id);
    return voice === null ? null : { __typename: 'Voice', ...voice };
  }
  if (type === 'gen') {
    const generation = await readOwnGeneration(db, viewerId, id);
    return generation === null ? null : { __typename: 'Generation', ...generation };
  }
  return null;
}
