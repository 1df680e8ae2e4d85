/**
 * Between a producer that pushes and a consumer that pulls, with a bound. The iterator can be
 * returned at any time, also while a `next` is pending; a generator function could not.
 */
export interface EventQueue<T> extends AsyncIterator<T, undefined> {
  /** False when the queue is full: the item was not taken. */
  push(item: T): boolean;
  /** Ends the stream once what is queued has been read. */
  end(): void;
  /** Ends the stream with an error at once; what is queued is dropped. */
  fail(error: Error): void;
  return(): Promise<IteratorResult<T, undefined>>;
}

type Waiting<T> = { resolve: (result: IteratorResult<T, undefined>) => void; reject: (error: Error) => void };

/** `onDone` runs once, however the stream ends. */
export function createEventQueue<T>({ capacity, onDone }: { capacity: number; onDone: () => void }): EventQueue<T> {
  const items: T[] = [];
  const waiting: Waiting<T>[] = [];
  let ended = false;
  let failure: Error | null = null;
  let closed = false;

  const done = (): IteratorResult<T, undefined> => ({ value: undefined, done: true });
  const close = () => {
    if (closed) return;
    closed = true;
    ended = true;
    items.length = 0;
    onDone();
  };

  return {
    push(item) {
      if (ended) return true;
      const consumer = waiting.shift();
      if (consumer !== undefined) consumer.resolve({ value: item, done: false });
      else if (items.length >= capacity) return false;
      else items.push(item);
      return true;
    },
    end() {
      ended = true;
      if (items.length > 0) return;
      close();
      for (const consumer of waiting.splice(0)) consumer.resolve(done());
    },
    fail(error) {
      if (closed) return;
      const [consumer, ...others] = waiting.splice(0);
      if (consumer === undefined) failure = error;
      else consumer.reject(error);
      for (const other of others) other.resolve(done());
      close();
    },
    next() {
      const item = items.shift();
      if (item !== undefined) return Promise.resolve({ value: item, done: false });
      if (failure !== null) {
        const error = failure;
        failure = null;
        return Promise.reject(error);
      }
      if (ended) {
        close();
        return Promise.resolve(done());
      }
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
      });
    },
    return() {
      failure = null;
      close();
      for (const consumer of waiting.splice(0)) consumer.resolve(done());
      return Promise.resolve(done());
    },
  };
}
