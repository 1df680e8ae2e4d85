export interface LoadRequest {
  query: string;
  variables?: object;
  token: string;
}

export interface SteadyLoad {
  /** Until so many more requests have been answered, as they should be or not. */
  answered(count: number): Promise<void>;
  /** What went wrong. */
  failures: readonly string[];
  stop(): Promise<void>;
}

const LANES = 4;

/**
 * Requests one after the other on a few lanes, each at the next address. As a balancer does, one whose connection is refused or
 * lost before an answer is sent to another address; anything but a whole answer with status 200 is a failure.
 */
export function steadyLoad(urls: readonly string[], requestAt: (index: number) => LoadRequest): SteadyLoad {
  const failures: string[] = [];
  let waiting: { left: number; done: () => void }[] = [];
  let next = 0;
  const stopped = new AbortController();

  const lane = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const index = next++;
      const failure = await ask(requestAt(index), [
        urls[index % urls.length] ?? '',
        urls[(index + 1) % urls.length] ?? '',
      ]);
      if (failure !== null) failures.push(failure);
      for (const each of waiting) if (--each.left <= 0) each.done();
      waiting = waiting.filter(({ left }) => left > 0);
    }
  };
  const lanes = Promise.all(Array.from({ length: LANES }, lane));

  return {
    failures,
    answered: (count) =>
      new Promise((done) => {
        waiting.push({ left: count, done });
      }),
    async stop() {
      stopped.abort();
      await lanes;
    },
  };
}

async function ask(request: LoadRequest, urls: readonly string[]): Promise<string | null> {
  let failure = '';
  for (const url of new Set(urls)) {
    try {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${request.token}` },
        body: JSON.stringify({ query: request.query, variables: request.variables }),
      });
      const text = await response.text();
      return response.status === 200 && !text.includes('"errors":[{')
        ? null
        : `${response.status} ${text.slice(0, 300)}`;
    } catch (error) {
      failure = String(error instanceof Error ? (error.cause ?? error) : error);
    }
  }
  return failure;
}
