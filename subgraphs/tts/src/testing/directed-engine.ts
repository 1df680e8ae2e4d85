import { createLogger } from '@timbre/platform/logger';
import type { SpeechEngine, SynthesisRequest } from '@timbre/speech/engine';
import { createLocalEngine } from '@timbre/speech/local/local-engine';

export interface DirectedEngine extends SpeechEngine {
  /** Asked before each chunk is spoken: what it waits for is waited for, what it throws is what the engine throws. */
  before: (request: SynthesisRequest) => Promise<void> | void;
  /** The texts that were given to the engine itself, in order. */
  readonly spoken: string[];
  /** Ends the engine itself, which outlives the workers that it is lent to. */
  end(): Promise<void>;
}

/** The local engine, at the pace and with the failures that a test wants. */
export async function startDirectedEngine(): Promise<DirectedEngine> {
  const engine = await createLocalEngine({ log: createLogger({ name: 'tts-test', level: 'error' }) });
  if (engine === null) throw new Error('The local engine is not installed.');
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
    end: () => engine.close(),
  };
  return self;
}

/** A door that is shut until it is opened. */
export function gate() {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return { opened: promise, open: () => resolve(undefined) };
}
