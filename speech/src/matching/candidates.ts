/**
 * Variants that a clone may start from: espeak-ng's own formant voices, without those that whisper, croak, echo or imitate
 * robots, and without the Klatt synthesizers, whose buzz no equalizer takes away; of those that are alike, one.
 */
export const CANDIDATE_VARIANTS: readonly string[] = [
  '',
  'm2',
  'm3',
  'm5',
  'm6',
  'f1',
  'f2',
  'f3',
  'f4',
  'f5',
  'Denis',
  'Diogo',
  'Gene',
  'antonio',
  'linda',
  'shelby',
  'steph2',
  'victor',
];

/** Formant shifts that are tried for the best variants: from a longer to a shorter vocal tract. */
export const FORMANT_SHIFTS: readonly number[] = [0.86, 0.93, 1, 1.07, 1.15];
