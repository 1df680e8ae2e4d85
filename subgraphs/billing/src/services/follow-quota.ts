import { isDeepStrictEqual } from 'node:util';
import type { Db } from '@timbre/db/client';
import { readQuotas } from '@timbre/db/ledger';
import type { Bus } from '@timbre/platform/bus/bus';
import { channels, hints } from '@timbre/platform/bus/hints';
import type { QuotaRow } from '../rows.ts';

export interface QuotaFollower {
  db: Db;
  bus: Bus;
  userId: string;
  signal: AbortSignal;
}

/** The quota as it is, then again whenever it is another one. */
export async function* followQuota({ db, bus, userId, signal }: QuotaFollower): AsyncGenerator<QuotaRow, void> {
  let last: QuotaRow | undefined;
  for await (const _ of hints(bus, channels.quota(userId), { signal })) {
    const [quota] = await readQuotas(db, [userId]);
    if (quota === undefined || isDeepStrictEqual(quota, last)) continue;
    last = quota;
    yield quota;
  }
}
