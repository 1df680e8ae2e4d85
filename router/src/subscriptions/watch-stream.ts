/** What is to be told of a stream; its end once, however it comes. */
export interface StreamWatcher<T> {
  onEvent?: (event: T) => void;
  onEnd: () => void;
}

/** The same stream, under watch. */
export function watchStream<T>(
  stream: AsyncIterableIterator<T, undefined>,
  { onEvent, onEnd }: StreamWatcher<T>,
): AsyncIterableIterator<T, undefined> {
  let open = true;
  const ended = () => {
    if (open) onEnd();
    open = false;
  };
  return {
    async next() {
      try {
        const result = await stream.next();
        if (result.done === true) ended();
        else onEvent?.(result.value);
        return result;
      } catch (error) {
        ended();
        throw error;
      }
    },
    async return() {
      ended();
      await stream.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
