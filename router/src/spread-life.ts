/** At most this part of a life is taken from it. */
const SHARE = 0.2;

/** A life that is a little shorter, by chance: what begins together does not end, and is not asked for again, together. */
export const spreadLife = (ms: number): number => ms * (1 - Math.random() * SHARE);
