/** Of mono samples, −1…1. */
export interface Loudness {
  /** Largest magnitude; 1 is full scale. */
  peak: number;
  /** Root mean square, dB below full scale; −Infinity for digital silence. */
  rmsDb: number;
  /** Gated loudness, LUFS (ITU-R BS.1770-5, mono); −Infinity where nothing passes the gate. */
  lufs: number;
  durationMs: number;
}

/** Measures a sound that comes in pieces. */
export interface LoudnessMeter {
  add(samples: Float32Array): void;
  result(): Loudness;
}

interface Biquad {
  b0: number;
  b1: number;
  b2: number;
  a1: number;
  a2: number;
}

/** BS.1770's two filters for any rate: the analog prototypes behind its 48 kHz tables (as in libebur128's `filter.c`). */
function kWeighting(sampleRate: number): [Biquad, Biquad] {
  const shelfK = Math.tan((Math.PI * 1681.974450955533) / sampleRate);
  const shelfQ = 0.7071752369554196;
  const vh = 10 ** (3.999843853973347 / 20);
  const vb = vh ** 0.4996667741545416;
  const shelfA0 = 1 + shelfK / shelfQ + shelfK * shelfK;
  const shelf: Biquad = {
    b0: (vh + (vb * shelfK) / shelfQ + shelfK * shelfK) / shelfA0,
    b1: (2 * (shelfK * shelfK - vh)) / shelfA0,
    b2: (vh - (vb * shelfK) / shelfQ + shelfK * shelfK) / shelfA0,
    a1: (2 * (shelfK * shelfK - 1)) / shelfA0,
    a2: (1 - shelfK / shelfQ + shelfK * shelfK) / shelfA0,
  };
  const passK = Math.tan((Math.PI * 38.13547087602444) / sampleRate);
  const passQ = 0.5003270373238773;
  const passA0 = 1 + passK / passQ + passK * passK;
  const highPass: Biquad = {
    b0: 1,
    b1: -2,
    b2: 1,
    a1: (2 * (passK * passK - 1)) / passA0,
    a2: (1 - passK / passQ + passK * passK) / passA0,
  };
  return [shelf, highPass];
}

/** Measures in one pass, in constant memory but for one number for each 100 ms. */
export function createLoudnessMeter(sampleRate: number): LoudnessMeter {
  const filters = kWeighting(sampleRate).map((c) => ({ c, x1: 0, x2: 0, y1: 0, y2: 0 }));
  const stepLength = Math.round(sampleRate / 10);
  const steps: number[] = [];
  let stepSum = 0;
  let stepCount = 0;
  let peak = 0;
  let sum = 0;
  let count = 0;
  return {
    add(samples) {
      for (const sample of samples) {
        const magnitude = Math.abs(sample);
        if (magnitude > peak) peak = magnitude;
        sum += sample * sample;
        let value = sample;
        for (const f of filters) {
          const y = f.c.b0 * value + f.c.b1 * f.x1 + f.c.b2 * f.x2 - f.c.a1 * f.y1 - f.c.a2 * f.y2;
          f.x2 = f.x1;
          f.x1 = value;
          f.y2 = f.y1;
          f.y1 = y;
          value = y;
        }
        stepSum += value * value;
        stepCount++;
        if (stepCount === stepLength) {
          steps.push(stepSum / stepLength);
          stepSum = 0;
          stepCount = 0;
        }
      }
      count += samples.length;
    },
    result() {
      return {
        peak,
        rmsDb: 10 * Math.log10(count === 0 ? 0 : sum / count),
        lufs: gatedLoudness(steps, stepCount === 0 ? 0 : stepSum / stepCount),
        durationMs: Math.round((count / sampleRate) * 1000),
      };
    },
  };
}

/** Peak, level and loudness of a whole sound. */
export function measureLoudness(samples: Float32Array, sampleRate: number): Loudness {
  const meter = createLoudnessMeter(sampleRate);
  meter.add(samples);
  return meter.result();
}

/** BS.1770 §5: 400 ms blocks every 100 ms, absolute gate −70 LUFS, relative gate 10 LU below. */
function gatedLoudness(steps: readonly number[], rest: number): number {
  const blocks: number[] = [];
  for (let i = 3; i < steps.length; i++) {
    blocks.push(((steps[i - 3] ?? 0) + (steps[i - 2] ?? 0) + (steps[i - 1] ?? 0) + (steps[i] ?? 0)) / 4);
  }
  // Sounds shorter than a block are one block, so that a single word has a loudness too.
  if (blocks.length === 0) blocks.push(mean(steps.length > 0 ? steps : [rest]));
  const audible = blocks.filter((power) => lufsOf(power) > -70);
  if (audible.length === 0) return -Infinity;
  const gate = lufsOf(mean(audible)) - 10;
  return lufsOf(mean(audible.filter((power) => lufsOf(power) > gate)));
}

function lufsOf(power: number): number {
  return -0.691 + 10 * Math.log10(power);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((total, value) => total + value, 0) / values.length;
}
