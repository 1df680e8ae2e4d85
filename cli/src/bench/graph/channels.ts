/** What is emitted to a channel reaches everyone who is subscribed to it, in order, in this process. */
export class Channels<T> {
  readonly #listeners = new Map<number, Set<(event: T) => void>>();
  #subscriptions = 0;

  /** How many are open. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  emit(channel: number, event: T): void {
    for (const listener of this.#listeners.get(channel) ?? []) listener(event);
  }

  emitToAll(event: T): void {
    for (const channel of this.#listeners.keys()) this.emit(channel, event);
  }

  subscribe(channel: number): AsyncIterableIterator<T, undefined> {
    const queue: T[] = [];
    const waiting: ((result: IteratorResult<T, undefined>) => void)[] = [];
    const listener = (event: T) => {
      const wanted = waiting.shift();
      if (wanted) wanted({ value: event, done: false });
      else queue.push(event);
    };
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    this.#subscriptions++;
    const end = () => {
      if (!listeners.delete(listener)) return;
      this.#subscriptions--;
      if (listeners.size === 0) this.#listeners.delete(channel);
      for (const wanted of waiting.splice(0)) wanted({ value: undefined, done: true });
    };
    return {
      next() {
        const event = queue.shift();
        if (event !== undefined) return Promise.resolve({ value: event, done: false });
        if (!listeners.has(listener)) return Promise.resolve({ value: undefined, done: true });
        return new Promise((resolve) => {
          waiting.push(resolve);
        });
      },
      return() {
        end();
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
