import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from '../../run-command.ts';
import type { Subgraphs } from './start-subgraphs.ts';

const POLL_MS = 20;
const STUCK_MS = 60_000;

/** Until the subgraphs know so many subscriptions. @throws CommandError when a minute passes without any more */
export async function untilSubscribed(subgraphs: Subgraphs, count: number): Promise<void> {
  let before = -1;
  for (let since = performance.now(); ;) {
    const { subscriptions } = await subgraphs.counts();
    if (subscriptions === count) return;
    if (subscriptions !== before) since = performance.now();
    if (performance.now() - since > STUCK_MS)
      throw new CommandError(`There are ${subscriptions} subscriptions and not ${count}.`);
    before = subscriptions;
    await sleep(POLL_MS);
  }
}
