import FFT from 'fft.js';

import { EQUALIZER_BANDS } from '../analysis/bands.ts';

/** Taps of the linear-phase filter at its own rate: 46 ms at 22,050 Hz, enough for the 45 Hz wide lowest bands. */
const TAPS = 1023;
const FFT_SIZE = 4096;
const BLOCK = FFT_SIZE - TAPS + 1;

/** Filters a whole sound; nothing moves in time. */
export type Equalizer = (samples: Float32Array) => Float32Array;

/**
 * An equalizer of the given gains (dB, one for each of `EQUALIZER_BANDS`), by frequency sampling and a Hann window, applied by
 * overlap-add (Oppenheim & Schafer, "Discrete-Time Signal Processing" §7.5, §8.7). Its delay of half its length is taken out.
 */
export function createEqualizer(gainsDb: readonly number[], sampleRate: number): Equalizer {
  if (gainsDb.every((gain) => gain === 0)) return (samples) => samples;
  const fft = new FFT(FFT_SIZE);
  const response = filterSpectrum(gainsDb, sampleRate);
  const block: number[] = fft.createComplexArray();
  const spectrum: number[] = fft.createComplexArray();
  const half = (TAPS - 1) / 2;
  return (samples) => {
    // Whole pairs of blocks and one of room, so that no index is out of bounds.
    const blocks = Math.ceil(samples.length / BLOCK / 2) * 2;
    const input = new Float32Array(blocks * BLOCK);
    input.set(samples);
    const out = new Float32Array((blocks + 1) * BLOCK);
    for (let start = 0; start < input.length; start += BLOCK * 2) {
      // The taps are real, so two blocks pass as one: as real and as imaginary part.
      block.fill(0);
      for (let i = 0; i < BLOCK; i++) {
        block[i * 2] = input[start + i] ?? 0;
        block[i * 2 + 1] = input[start + BLOCK + i] ?? 0;
      }
      fft.transform(spectrum, block);
      multiply(spectrum, response);
      fft.inverseTransform(block, spectrum);
      for (let i = 0; i < FFT_SIZE; i++) {
        out[start + i] = (out[start + i] ?? 0) + (block[i * 2] ?? 0);
        out[start + BLOCK + i] = (out[start + BLOCK + i] ?? 0) + (block[i * 2 + 1] ?? 0);
      }
    }
    return out.slice(half, half + samples.length);
  };
}

/** `a` times `b`, complex, in place. */
function multiply(a: number[], b: readonly number[]): void {
  for (let i = 0; i < a.length; i += 2) {
    const re = a[i] ?? 0;
    const im = a[i + 1] ?? 0;
    const br = b[i] ?? 0;
    const bi = b[i + 1] ?? 0;
    a[i] = re * br - im * bi;
    a[i + 1] = re * bi + im * br;
  }
}

/** Spectrum of the filter's taps, delayed by half their number. */
function filterSpectrum(gainsDb: readonly number[], sampleRate: number): number[] {
  const fft = new FFT(FFT_SIZE);
  const wished: number[] = fft.createComplexArray().fill(0);
  for (let bin = 0; bin < FFT_SIZE; bin++) {
    const hz = (Math.min(bin, FFT_SIZE - bin) * sampleRate) / FFT_SIZE;
    wished[bin * 2] = 10 ** (gainAt(hz, gainsDb) / 20);
  }
  const taps: number[] = fft.createComplexArray();
  fft.inverseTransform(taps, wished);
  const half = (TAPS - 1) / 2;
  wished.fill(0);
  for (let i = 0; i < TAPS; i++) {
    const offset = i - half;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * offset) / (half + 1));
    wished[i * 2] = (taps[((offset + FFT_SIZE) % FFT_SIZE) * 2] ?? 0) * window;
  }
  const spectrum: number[] = fft.createComplexArray();
  fft.transform(spectrum, wished);
  return spectrum;
}

/** dB at a frequency: straight lines between the bands' centres, level beyond the outer ones. */
function gainAt(hz: number, gainsDb: readonly number[]): number {
  const last = EQUALIZER_BANDS.length - 1;
  if (hz <= (EQUALIZER_BANDS[0] ?? 0)) return gainsDb[0] ?? 0;
  if (hz >= (EQUALIZER_BANDS[last] ?? 0)) return gainsDb[last] ?? 0;
  const above = EQUALIZER_BANDS.findIndex((centre) => centre > hz);
  const low = EQUALIZER_BANDS[above - 1] ?? 0;
  const high = EQUALIZER_BANDS[above] ?? 1;
  const share = (hz - low) / (high - low);
  return (gainsDb[above - 1] ?? 0) * (1 - share) + (gainsDb[above] ?? 0) * share;
}
