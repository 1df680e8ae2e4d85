import type { Db } from '@timbre/db/client';
import type { ApiKeys } from '@timbre/platform/api-key';
import type { Bus } from '@timbre/platform/bus/bus';
import { channels } from '@timbre/platform/bus/hints';
import { AppError } from '@timbre/platform/errors';
import type { Identity } from '@timbre/platform/identity';
import type { RequestContext } from '@timbre/platform/subgraph-server';
import { requireViewer } from '@timbre/platform/viewer';
import { createLoaders, type Loaders } from './loaders.ts';
import type { ApiKeyPage, NodeRef, UserRow } from './rows.ts';
import { type KeyPageRequest, pageOfKeys, revokeApiKey, type RevokeKeyResult } from './services/api-keys.ts';
import { type BlockResult, blockUser } from './services/block-user.ts';
import { createApiKey, type CreateKeyResult, type NewKeyInput } from './services/create-api-key.ts';
import { type ApiKeyNode, findNode, type UserNode } from './services/find-node.ts';
import { endSession, type EndSessionResult } from './services/revocations.ts';
import { type ProfileChange, type ProfileResult, updateProfile } from './services/update-profile.ts';

export interface Context extends RequestContext {
  loaders: Loaders;
  /** @throws AppError UNAUTHENTICATED for the anonymous and for a user who is gone. */
  viewer: () => Promise<UserRow>;
  findNode: (id: string) => Promise<UserNode | ApiKeyNode | NodeRef | null>;
  updateProfile: (change: ProfileChange) => Promise<ProfileResult>;
  prefixOf: (keyId: string) => string;
  pageOfKeys: (userId: string, request: KeyPageRequest) => Promise<ApiKeyPage>;
  createApiKey: (input: NewKeyInput) => Promise<CreateKeyResult>;
  revokeApiKey: (id: string) => Promise<RevokeKeyResult>;
  endSession: (everywhere: boolean) => Promise<EndSessionResult>;
  blockUser: (id: string, blocked: boolean) => Promise<BlockResult>;
}

export interface ContextServices {
  db: Db;
  keys: ApiKeys;
  bus: Bus;
}

export function createContextFactory({ db, keys, bus }: ContextServices): (base: RequestContext) => Context {
  /** After the commit; who does not hear it asks by and by. */
  const told = <T>(result: T): T => {
    void bus.publish(channels.revocations, '');
    return result;
  };

  return (base) => {
    const { identity } = base;
    const loaders = createLoaders(db, identity);
    const viewer = async () => {
      const user = await loaders.user.load(requireViewer(identity));
      if (user === null) throw gone();
      return user;
    };
    const own: Omit<Context, keyof RequestContext> = {
      loaders,
      viewer,
      findNode: async (id) => findNode(db, loaders, requireViewer(identity), id),
      async updateProfile(change) {
        const id = requireViewer(identity);
        const result = await updateProfile(db, id, change);
        loaders.user.clear(id); // a later field of the same mutation sees the change
        if (result.user === null && result.errors.length === 0) throw gone();
        return result;
      },
      prefixOf: keys.prefixOf,
      pageOfKeys: async (userId, request) => pageOfKeys(db, userId, request),
      async createApiKey(input) {
        const { id } = await viewer();
        const { scopes, credential } = identity;
        return createApiKey(db, keys, { userId: id, scopes, credential }, input);
      },
      revokeApiKey: async (id) => told(await revokeApiKey(db, requireViewer(identity), id)),
      endSession: async (everywhere) => told(await endSession(db, await viewer(), identity.credential, everywhere)),
      async blockUser(id, blocked) {
        requireStaff(identity);
        return told(await blockUser(db, id, blocked));
      },
    };
    return Object.assign(base, own);
  };
}

const gone = () => new AppError('UNAUTHENTICATED', 'This account does not exist any more.');

/** What reaches over another's row is not left to the router alone. */
function requireStaff({ scopes }: Identity): void {
  if (scopes.includes('admin:users') || scopes.includes('admin:*')) return;
  throw new AppError('FORBIDDEN', 'This needs the scope admin:users.');
}
