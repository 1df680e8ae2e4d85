/** Converts a stream of samples from one rate to another. */
export interface Resampler {
  process(samples: Float32Array): Float32Array;
  /** The rest. In all ⌈input × to ÷ from⌉ samples come out. */
  finish(): Float32Array;
}

export interface ResamplerQuality {
  /** Of the sinc on each side, at the lower of the two rates: the steepness of the low-pass (default 24). */
  zeroCrossings?: number;
}

const ZERO_CROSSINGS = 24;
/** Kaiser window with about 80 dB of stop-band attenuation (Kaiser 1974). */
const KAISER_BETA = 7.86;
/** The −6 dB point, as a fraction of the lower Nyquist frequency: what folds back is mostly inside the transition band. */
const CUTOFF = 0.955;

/**
 * Polyphase windowed-sinc rate converter (Crochiere & Rabiner 1981, "Multirate Digital Signal Processing" ch. 2) with an
 * anti-aliasing low-pass at the lower of the two Nyquist frequencies. Free of delay: output sample k stands at the
 * time k ÷ `to`, so timings only need scaling. `from` and `to` are integers; only their ratio matters.
 *
 * Our own because the npm resamplers either alias (linear, cubic) or hide their delay behind a WASM stream whose
 * timings cannot be made sample-exact.
 */
export function createResampler(
  from: number,
  to: number,
  { zeroCrossings = ZERO_CROSSINGS }: ResamplerQuality = {},
): Resampler {
  if (!Number.isInteger(from) || !Number.isInteger(to) || from <= 0 || to <= 0) {
    throw new RangeError(`Sample rates must be positive integers, got ${String(from)} and ${String(to)}`);
  }
  if (from === to) return { process: (samples) => samples, finish: () => new Float32Array(0) };
  const divisor = gcd(from, to);
  return new PolyphaseResampler(to / divisor, from / divisor, zeroCrossings);
}

/** The whole of a sound at once. */
export function resample(
  samples: Float32Array,
  from: number,
  to: number,
  quality: ResamplerQuality = {},
): Float32Array {
  if (from === to) return samples;
  const resampler = createResampler(from, to, quality);
  const head = resampler.process(samples);
  const tail = resampler.finish();
  const out = new Float32Array(head.length + tail.length);
  out.set(head);
  out.set(tail, head.length);
  return out;
}

class PolyphaseResampler implements Resampler {
  readonly #up: number;
  readonly #down: number;
  readonly #half: number;
  readonly #phases: Float32Array;
  /** Input from `#base` on, in input samples; the first outputs reach half a filter before the beginning. */
  #pending: Float32Array;
  #base: number;
  #received = 0;
  #produced = 0;

  constructor(up: number, down: number, zeroCrossings: number) {
    this.#up = up;
    this.#down = down;
    const bank = filterBank(up, down, zeroCrossings);
    this.#half = bank.half;
    this.#phases = bank.phases;
    this.#pending = new Float32Array(bank.half);
    this.#base = -bank.half;
  }

  process(samples: Float32Array): Float32Array {
    this.#received += samples.length;
    this.#append(samples);
    // Output k needs input up to ⌊k·down/up⌋ + half.
    const last = this.#received - 1 - this.#half;
    const until = last < 0 ? 0 : Math.floor((last * this.#up + this.#up - 1) / this.#down) + 1;
    return this.#produce(Math.max(until, this.#produced));
  }

  finish(): Float32Array {
    this.#append(new Float32Array(this.#half + 1));
    return this.#produce(Math.ceil((this.#received * this.#up) / this.#down));
  }

  #append(samples: Float32Array): void {
    const needed = Math.floor((this.#produced * this.#down) / this.#up) - this.#half + 1;
    const drop = Math.min(Math.max(0, needed - this.#base), this.#pending.length);
    const kept = this.#pending.subarray(drop);
    const joined = new Float32Array(kept.length + samples.length);
    joined.set(kept);
    joined.set(samples, kept.length);
    this.#pending = joined;
    this.#base += drop;
  }

  #produce(until: number): Float32Array {
    const out = new Float32Array(Math.max(0, until - this.#produced));
    const taps = this.#half * 2;
    const input = this.#pending;
    const phases = this.#phases;
    for (let i = 0; i < out.length; i++) {
      const position = (this.#produced + i) * this.#down;
      const whole = Math.floor(position / this.#up);
      const row = (position - whole * this.#up) * taps;
      out[i] = dot(input, whole - this.#half + 1 - this.#base, phases, row, taps);
    }
    this.#produced = Math.max(until, this.#produced);
    return out;
  }
}

/** `length` is a multiple of 4. Four sums, because one would wait for each addition before it begins the next: twice as fast. */
function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number, length: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let t = 0; t < length; t += 4) {
    const i = aStart + t;
    const j = bStart + t;
    s0 += (a[i] ?? 0) * (b[j] ?? 0);
    s1 += (a[i + 1] ?? 0) * (b[j + 1] ?? 0);
    s2 += (a[i + 2] ?? 0) * (b[j + 2] ?? 0);
    s3 += (a[i + 3] ?? 0) * (b[j + 3] ?? 0);
  }
  return s0 + s1 + (s2 + s3);
}

const banks = new Map<string, { half: number; phases: Float32Array }>();

/** Row p holds the taps for an output that stands p/up input samples after an input sample. */
function filterBank(up: number, down: number, zeroCrossings: number): { half: number; phases: Float32Array } {
  const key = `${String(up)}/${String(down)}/${String(zeroCrossings)}`;
  const known = banks.get(key);
  if (known) return known;
  const scale = Math.min(1, up / down);

  const half = Math.ceil(zeroCrossings / scale / 2) * 2;
  const phases = new Float32Array(up * half * 2);
  const window = besselI0(KAISER_BETA);
  for (let p = 0; p < up; p++) {
    let sum = 0;
    for (let t = 0; t < half * 2; t++) {
      const x = t - half + 1 - p / up;
      const edge = 1 - (x / half) ** 2;
      const value = edge <= 0 ? 0 : sinc(x * scale * CUTOFF) * (besselI0(KAISER_BETA * Math.sqrt(edge)) / window);
      phases[p * half * 2 + t] = value;
      sum += value;
    }
    // Each phase passes direct current unchanged: otherwise the phases' ripple is heard as a tone.
    for (let t = 0; t < half * 2; t++) phases[p * half * 2 + t] = (phases[p * half * 2 + t] ?? 0) / sum;
  }
  const bank = { half, phases };
  if (banks.size >= 64) banks.clear();
  banks.set(key, bank);
  return bank;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
