import type { Logger } from '@timbre/platform/logger';
import type { SpeechModel } from '@timbre/speech/engine';
import { createLocalEngine } from '@timbre/speech/local/local-engine';

export interface ModelCatalogue {
  /** Empty where no engine is installed, and until the engine has said what it speaks. */
  models: () => readonly SpeechModel[];
  close(): void;
}

const RETRY_MS = 10_000;

/**
 * Asks the local engine what it can speak and lets it go: this process only offers what the worker speaks, and an idle
 * engine would cost it the engine's memory. An engine that is installed but does not start is asked again. `onLoaded` is
 * called when the models are known.
 */
export async function loadModelCatalogue(log: Logger, onLoaded: () => Promise<void>): Promise<ModelCatalogue> {
  let models: readonly SpeechModel[] = [];
  let timer: NodeJS.Timeout | undefined;
  async function ask(): Promise<void> {
    try {
      const engine = await createLocalEngine({ log });
      models = engine?.models() ?? [];
      if (engine === null) log.warn('no speech engine is installed: there are no models');
      await engine?.close();
      await onLoaded();
    } catch (error) {
      log.error({ err: error }, 'the speech engine did not start; trying again');
      timer = setTimeout(() => void ask(), RETRY_MS).unref();
    }
  }
  await ask();
  return { models: () => models, close: () => clearTimeout(timer) };
}
