import FFT from 'fft.js';

/** In-place helpers around fft.js for real signals of one power-of-two size; not shared between concurrent uses. */
export class RealFft {
  readonly size: number;
  readonly #fft: FFT;
  readonly #time: number[];
  readonly #spectrum: number[];

  constructor(size: number) {
    this.size = size;
    this.#fft = new FFT(size);
    this.#time = Array.from({ length: size }, () => 0);
    this.#spectrum = this.#fft.createComplexArray();
  }

  /** Fill this (size samples), then call `forward`. */
  get time(): number[] {
    return this.#time;
  }

  /** Spectrum of `time`, interleaved re/im; only the bins 0…size/2 are filled. Overwritten by the next call. */
  forward(): number[] {
    this.#fft.realTransform(this.#spectrum, this.#time);
    return this.#spectrum;
  }

  /** Time signal of a spectrum of which the bins 0…size/2 are filled, interleaved re/im. */
  inverse(spectrum: number[], out: number[]): number[] {
    this.#fft.completeSpectrum(spectrum);
    this.#fft.inverseTransform(out, spectrum);
    return out;
  }

  complexArray(): number[] {
    return this.#fft.createComplexArray();
  }
}
