// The subgraphs' schemas by name, in the order of their ports.
import { catalogSDL, offersSDL, shopsSDL, stockSDL } from './deep-subgraphs.mjs';
import { usersSDL, voicesSDL } from './subgraphs.mjs';

export const GRAPHS = {
  flat: { users: usersSDL, voices: voicesSDL },
  deep: { catalog: catalogSDL, shops: shopsSDL, offers: offersSDL, stock: stockSDL },
};
