import type { Db } from '@timbre/db/client';
import { readOwnGeneration } from '@timbre/db/tts/read-own-generation';
import { readVisibleVoice } from '@timbre/db/voices/read-visible-voice';
import { checkText, type TextProblem, type TextRule } from '@timbre/platform/check-text';
import { idType } from '@timbre/platform/ids';
import { updateDisplayName } from '../repos/users.ts';
import type { NodeRef, UserRow } from '../rows.ts';

const DISPLAY_NAME: TextRule = { what: 'The display name', min: 1, max: 80 };

export interface UserServices {
  /** The voice or generation that an id names, if the viewer may know of it; null for ids of users, too. */
  findNode(viewerId: string, id: string): Promise<NodeRef | null>;
  /** A name of null takes the name away. */
  rename(viewerId: string, displayName: string | null): Promise<{ user: UserRow | null; problems: TextProblem[] }>;
}

export function createUserServices(db: Db): UserServices {
  return {
    async findNode(viewerId, id) {
      const type = idType(id);
      if (type === 'voi') {
        const voice = await readVisibleVoice(db, viewerId, id);
        return voice && { __typename: 'Voice', id };
      }
      if (type === 'gen') {
        const generation = await readOwnGeneration(db, viewerId, id);
        return generation && { __typename: 'Generation', id };
      }
      return null;
    },

    async rename(viewerId, displayName) {
      if (displayName === null) return { user: await updateDisplayName(db, viewerId, null), problems: [] };
      const { text, problems } = checkText(displayName, DISPLAY_NAME);
      if (problems.length > 0) return { user: null, problems };
      return { user: await updateDisplayName(db, viewerId, text), problems };
    },
  };
}
