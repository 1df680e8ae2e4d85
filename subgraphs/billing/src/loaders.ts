import { readPlans } from '@timbre/db/billing/read-entitlements';
import type { Db } from '@timbre/db/client';
import { readCharges, readQuotas } from '@timbre/db/ledger';
import DataLoader from 'dataloader';
import type { ChargeRow, PlanRow, QuotaRow } from './rows.ts';

export interface Loaders {
  /** By user. */
  plan: DataLoader<string, PlanRow>;
  /** By user. */
  quota: DataLoader<string, QuotaRow>;
  /** By generation; null for what was free and for what is not the viewer's. */
  charge: DataLoader<string, ChargeRow | null>;
}

export function createLoaders(db: Db, viewerId: string | null): Loaders {
  return {
    plan: new DataLoader((ids) => readPlans(db, ids)),
    quota: new DataLoader((ids) => readQuotas(db, ids)),
    charge: new DataLoader(async (ids) => (viewerId === null ? ids.map(() => null) : readCharges(db, viewerId, ids))),
  };
}
