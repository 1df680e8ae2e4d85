/** How long the answer that is being made may be kept at most, by what it turns out to contain. */
export class CachingLimit {
  #seconds = Infinity;

  get seconds(): number {
    return this.#seconds;
  }

  /** The answer may be kept for these seconds at most, or for less where less was said; 0: not at all. */
  restrict(seconds: number): void {
    if (seconds < this.#seconds) this.#seconds = seconds;
  }

  /** The answer may be kept until then at most. */
  restrictUntil(time: Date): void {
    this.restrict(Math.max(0, (time.getTime() - Date.now()) / 1000));
  }
}
