import type { Db } from '@timbre/db/client';
import { AppError } from '@timbre/platform/errors';
import type { RequestContext } from '@timbre/platform/subgraph-server';
import { requireViewer } from '@timbre/platform/viewer';
import { createLoaders, type Loaders } from './loaders.ts';
import type { NodeRef, UserRow } from './rows.ts';
import { findNode, type UserNode } from './services/find-node.ts';
import { type ProfileChange, type ProfileResult, updateProfile } from './services/update-profile.ts';

export interface Context extends RequestContext {
  loaders: Loaders;
  /** @throws AppError UNAUTHENTICATED for the anonymous and for a user who is gone. */
  viewer: () => Promise<UserRow>;
  findNode: (id: string) => Promise<UserNode | NodeRef | null>;
  updateProfile: (change: ProfileChange) => Promise<ProfileResult>;
}

export function createContextFactory(db: Db): (base: RequestContext) => Context {
  return (base) => {
    const loaders = createLoaders(db, base.identity.userId);
    const viewer = async () => {
      const user = await loaders.user.load(requireViewer(base.identity));
      if (user === null) throw new AppError('UNAUTHENTICATED', 'This account does not exist any more.');
      return user;
    };
    return {
      ...base,
      loaders,
      viewer,
      findNode: async (id) => findNode(db, loaders, requireViewer(base.identity), id),
      async updateProfile(change) {
        const { id } = await viewer();
        loaders.user.clear(id); // a later field of the same mutation sees the change
        return updateProfile(db, id, change);
      },
    };
  };
}
