/** The outcome of `work`, or a rejection with what `late` makes once `milliseconds` have passed. */
export async function within<T>(milliseconds: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), milliseconds);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Behind a function, since the compiler takes the flag for unchanging between two looks at it. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
