import type { Db } from '@timbre/db/client';
import { readQuotas } from '@timbre/db/ledger';
import type { Bus } from '@timbre/platform/bus/bus';
import type { RequestContext } from '@timbre/platform/subgraph-server';
import DataLoader from 'dataloader';
import { createLoaders, type Loaders } from './loaders.ts';
import type { QuotaRow } from './rows.ts';
import { followQuota } from './services/follow-quota.ts';

export interface Context extends RequestContext {
  /** Null for the anonymous caller. */
  viewerId: string | null;
  loaders: Loaders;
  /** Ends with the subscription. */
  followQuota: (userId: string) => AsyncGenerator<QuotaRow, void>;
}

export function createContextFactory(db: Db, bus: Bus): (base: RequestContext) => Context {
  const quotas = new DataLoader((ids: readonly string[]) => readQuotas(db, ids), { cache: false });
  return (base) => {
    const viewerId = base.identity.userId;
    const own: Omit<Context, keyof RequestContext> = {
      viewerId,
      loaders: createLoaders(db, viewerId),
      followQuota: (userId) => followQuota({ quotas, bus, userId, signal: base.signal }),
    };
    return Object.assign(base, own);
  };
}
