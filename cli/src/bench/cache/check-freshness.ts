import { seededRandom } from '../seeded-random.ts';
import { zipf } from '../zipf.ts';
import type { ItemClient } from './item-client.ts';
import type { CachedRouter } from './start-router.ts';

export interface FreshnessOptions {
  client: ItemClient;
  routers: readonly CachedRouter[];
  people: number;
  items: number;
  /** How many reads after a write to check. */
  reads: number;
}

const LANES = 24;
const READS_OF_A_WRITE = 4;

/**
 * People write the few items that everybody looks at, and read each at once on every router: what they see must not be older than
 * what they wrote.
 *
 * @returns how many reads saw something older
 */
export async function checkFreshness({ client, routers, people, items, reads }: FreshnessOptions): Promise<number> {
  const rank = zipf(items, 1);
  let begun = 0;
  let stale = 0;
  const lane = async (_: unknown, seed: number): Promise<void> => {
    const random = seededRandom(seed);
    while (begun < reads) {
      begun += READS_OF_A_WRITE;
      // Each lane has people of its own, so that no other write of theirs is under way.
      const who = seed + LANES * Math.floor(random() * Math.floor(people / LANES));
      const id = rank(random());
      const poolOf = (index: number) => routers[index % routers.length]?.pool ?? raise();
      const written = await client.write(poolOf(Math.floor(random() * routers.length)), who, id);
      for (let index = 0; index < READS_OF_A_WRITE; index++) {
        if ((await client.read(poolOf(index), who, id)) < written) stale++;
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return stale;
}

function raise(): never {
  throw new Error('There is no router.');
}
