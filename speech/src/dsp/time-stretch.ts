const WINDOW_MS = 30;
const SEARCH_MS = 10;

/**
 * Makes speech `factor` times as long without changing its pitch: waveform-similarity overlap-add (Verhelst & Roelands 1993).
 * Times scale by `factor` to within the search distance of 10 ms.
 */
export function timeStretch(samples: Float32Array, sampleRate: number, factor: number): Float32Array {
  const window = Math.round((WINDOW_MS / 1000) * sampleRate) & ~1;
  const hop = window / 2;
  const search = Math.round((SEARCH_MS / 1000) * sampleRate);
  const length = Math.round(samples.length * factor);
  if (Math.abs(factor - 1) < 1e-3 || samples.length <= window * 2) return samples;
  const out = new Float32Array(length + window);
  const shape = Float32Array.from(
    { length: window },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / window),
  );
  let source = 0;
  for (let at = 0; at < length; at += hop) {
    if (at > 0) source = bestMatch(samples, source + hop, Math.round(at / factor), hop, search);
    for (let i = 0; i < window; i++) {
      // The very beginning has no window before it to overlap with.
      const gain = at === 0 && i < hop ? 1 : (shape[i] ?? 0);
      out[at + i] = (out[at + i] ?? 0) + (samples[source + i] ?? 0) * gain;
    }
  }
  return out.subarray(0, length);
}

/** The place near `target` whose sound continues best what follows the last window, by normalised correlation. */
function bestMatch(samples: Float32Array, expected: number, target: number, length: number, search: number): number {
  const from = Math.max(0, target - search);
  const to = Math.min(samples.length - length, target + search);
  let best = Math.max(0, Math.min(target, samples.length - 1));
  let bestScore = -Infinity;
  // Every second lag and sample: speech has little above a quarter of the rate that matters here.
  for (let candidate = from; candidate <= to; candidate += 2) {
    let product = 0;
    let energy = 1e-9;
    for (let i = 0; i < length; i += 2) {
      const value = samples[candidate + i] ?? 0;
      product += value * (samples[expected + i] ?? 0);
      energy += value * value;
    }
    const score = product / Math.sqrt(energy);
    if (score > bestScore) {
      bestScore = score;
      best = candidate;
    }
  }
  return best;
}
