import type { GenerationResolvers } from '../generated/types.ts';

/** What is charged meanwhile is told; should that not be heard of, it shows after this long. */
const HELD_SECONDS = 10;

export const Generation: GenerationResolvers = {
  __resolveReference: ({ id }) => ({ id }),
  async charge({ id }, _args, { loaders, caching }) {
    const charge = await loaders.charge.load(id);
    if (charge?.state === 'HELD') caching.restrict(HELD_SECONDS);
    return charge;
  },
};
