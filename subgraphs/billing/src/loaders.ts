import type { Db } from '@timbre/db/client';
import { type AccountView, readAccounts, readCharges } from '@timbre/db/ledger';
import DataLoader from 'dataloader';
import type { ChargeRow } from './rows.ts';

export interface Loaders {
  /** Plan and quota, by user. */
  account: DataLoader<string, AccountView>;
  /** By generation; null for what was free and for what is not the viewer's. */
  charge: DataLoader<string, ChargeRow | null>;
}

export function createLoaders(db: Db, viewerId: string | null): Loaders {
  return {
    account: new DataLoader((ids) => readAccounts(db, ids)),
    charge: new DataLoader(async (ids) => (viewerId === null ? ids.map(() => null) : readCharges(db, viewerId, ids))),
  };
}
