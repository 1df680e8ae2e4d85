import type { SpeechEngine, SynthesisRequest } from '@timbre/speech/engine';

export interface DirectedEngine extends SpeechEngine {
  /** Asked before each chunk is spoken: what it waits for is waited for, what it throws is what the engine throws. */
  before: (request: SynthesisRequest) => Promise<void> | void;
  /** The texts that were given to the engine itself, in order. */
  readonly spoken: string[];
}

/** The real engine, at the pace and with the failures that a test wants. It does not close the engine. */
export function directed(engine: SpeechEngine): DirectedEngine {
  const spoken: string[] = [];
  const self: DirectedEngine = {
    before: () => undefined,
    spoken,
    models: () => engine.models(),
    available: () => engine.available(),
    async synthesize(request) {
      await self.before(request);
      request.signal?.throwIfAborted();
      spoken.push(request.text);
      return engine.synthesize(request);
    },
    close: () => Promise.resolve(),
  };
  return self;
}

/** A door that is shut until it is opened. */
export function gate() {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return { opened: promise, open: () => resolve(undefined) };
}
