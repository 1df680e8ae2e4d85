import { EQUALIZER_BAND_COUNT } from '../engine.ts';

/** Rate that voices are compared at, Hz: most speech recordings carry at least as much. */
export const ANALYSIS_RATE = 16_000;

const LOWEST_HZ = 40;
const HIGHEST_HZ = 7_950;

function mel(hz: number): number {
  return 2595 * Math.log10(1 + hz / 700);
}

function hertz(value: number): number {
  return 700 * (10 ** (value / 2595) - 1);
}

/** Edges and centres of the triangular mel bands: band b rises from edge b, peaks at edge b+1, falls to edge b+2 (Hz). */
export const BAND_EDGES: readonly number[] = Array.from({ length: EQUALIZER_BAND_COUNT + 2 }, (_, i) =>
  hertz(mel(LOWEST_HZ) + ((mel(HIGHEST_HZ) - mel(LOWEST_HZ)) * i) / (EQUALIZER_BAND_COUNT + 1)),
);

/** Centre of each equalizer and analysis band, Hz. */
export const EQUALIZER_BANDS: readonly number[] = BAND_EDGES.slice(1, -1);

/** How many of the bands, from the lowest, lie below a recording's Nyquist frequency. */
export function knownBands(sampleRate: number): number {
  const usable = (sampleRate / 2) * 0.96;
  return BAND_EDGES.slice(2).filter((edge) => edge <= usable || sampleRate >= ANALYSIS_RATE).length;
}
