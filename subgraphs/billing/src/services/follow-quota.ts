import { isDeepStrictEqual } from 'node:util';
import type { Bus } from '@timbre/platform/bus/bus';
import { channels, hints } from '@timbre/platform/bus/hints';
import type DataLoader from 'dataloader';
import type { QuotaRow } from '../rows.ts';

export interface QuotaFollower {
  /** Without a cache: for all followers, who mostly look at the same moments. */
  quotas: DataLoader<string, QuotaRow>;
  bus: Bus;
  userId: string;
  signal: AbortSignal;
}

/** The quota as it is, then again whenever it is another one. */
export async function* followQuota({ quotas, bus, userId, signal }: QuotaFollower): AsyncGenerator<QuotaRow, void> {
  let last: QuotaRow | undefined;
  for await (const _ of hints(bus, channels.quota(userId), { signal })) {
    const quota = await quotas.load(userId);
    if (isDeepStrictEqual(quota, last)) continue;
    last = quota;
    yield quota;
  }
}
