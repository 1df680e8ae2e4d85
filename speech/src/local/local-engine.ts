import { createRequire } from 'node:module';

import { AppError, isErrorCode } from '@timbre/platform/errors';
import type { Logger } from '@timbre/platform/logger';

import { LocalVoiceProfile } from '../engine.ts';
import type {
  FittedVoice,
  FittingRequest,
  Speech,
  SpeechEngine,
  SpeechModel,
  SynthesisRequest,
  VoiceFitter,
} from '../engine.ts';
import { ESPEAK_PACKAGE } from './espeak-package.ts';
import { espeakLanguage, languageTags } from './languages.ts';
import type { EngineReply } from './messages.ts';
import { ProcessPool } from './process-pool.ts';

export interface LocalEngineOptions {
  /** How many processes synthesize side by side (default 1). */
  processes?: number;
  log: Logger;
  /** Longest time one synthesis may take, ms (default 60,000). */
  synthesisLimitMs?: number;
}

export interface LocalEngine extends SpeechEngine, VoiceFitter {
  /** espeak-ng's voice variants, for profiles made by hand. */
  variants(): string[];
  /** Ids of the engine's processes that are up. */
  pids(): number[];
}

/** Longest text of one request, UTF-16 units: longer ones are to be split, see `splitText`. */
export const MAX_SYNTHESIS_CHARACTERS = 20_000;
/** The fit reports progress far more often. */
const FIT_SILENCE_LIMIT_MS = 60_000;

const MODEL = { id: 'local-1', name: 'Timbre Local', maxCharacters: 200_000, creditsPerCharacter: 0.5 } as const;

/** Whether the optional dependency that speaks is installed; nothing of it is loaded here. */
export function localEngineInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve(ESPEAK_PACKAGE);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts espeak-ng in processes of its own; null where the optional dependency is not installed. Rejects with
 * `ENGINE_UNAVAILABLE` where it is installed but cannot be started.
 */
export async function createLocalEngine({
  processes = 1,
  log,
  synthesisLimitMs = 60_000,
}: LocalEngineOptions): Promise<LocalEngine | null> {
  if (!localEngineInstalled()) return null;
  const pool = new ProcessPool({ entry: new URL('./engine-process.ts', import.meta.url), processes, log });
  try {
    const { languages, variants } = await pool.ready();
    return new EspeakEngine(pool, languages, variants, synthesisLimitMs);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

class EspeakEngine implements LocalEngine {
  readonly #pool: ProcessPool;
  readonly #codes: ReadonlySet<string>;
  readonly #model: SpeechModel;
  readonly #variants: string[];
  readonly #limitMs: number;

  constructor(pool: ProcessPool, codes: string[], variants: string[], limitMs: number) {
    this.#pool = pool;
    this.#codes = new Set(codes);
    this.#model = { ...MODEL, languages: languageTags(codes) };
    this.#variants = variants;
    this.#limitMs = limitMs;
  }

  models(): SpeechModel[] {
    return [this.#model];
  }

  variants(): string[] {
    return this.#variants;
  }

  pids(): number[] {
    return this.#pool.pids();
  }

  available(): boolean {
    return this.#pool.available();
  }

  async synthesize({ text, profile, speed = 1, signal }: SynthesisRequest): Promise<Speech> {
    if (text.length > MAX_SYNTHESIS_CHARACTERS) {
      throw new AppError(
        'BAD_USER_INPUT',
        `One synthesis takes at most ${String(MAX_SYNTHESIS_CHARACTERS)} characters; ${String(text.length)} were sent.`,
        {
          details: { limit: MAX_SYNTHESIS_CHARACTERS, sent: text.length },
        },
      );
    }
    if (!(speed >= 0.5 && speed <= 2)) {
      throw new AppError('BAD_USER_INPUT', `Speed lies between 0.5 and 2; ${String(speed)} was sent.`, {
        details: { minimum: 0.5, maximum: 2, sent: speed },
      });
    }
    const parsed = LocalVoiceProfile.parse(profile);
    const reply = await this.#pool.submit(
      { kind: 'synthesize', text, profile: parsed, speed },
      { limitMs: this.#limitMs, signal },
    );
    if (reply.kind === 'speech') return reply.speech;
    throw failure(reply);
  }

  async fit({ recordings, language = 'en-us', onProgress, signal }: FittingRequest): Promise<FittedVoice> {
    if (espeakLanguage(language, this.#codes) === null) {
      throw new AppError('BAD_USER_INPUT', `The local engine does not speak ${language}.`, {
        details: { sent: language },
      });
    }
    const reply = await this.#pool.submit(
      { kind: 'fit', recordings, language },
      { limitMs: FIT_SILENCE_LIMIT_MS, signal, onProgress, killOnAbort: true },
    );
    if (reply.kind === 'fitted') return reply.voice;
    throw failure(reply);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

function failure(reply: EngineReply): AppError {
  if (reply.kind !== 'failed' || !isErrorCode(reply.code))
    return new AppError('INTERNAL_SERVER_ERROR', `Unexpected answer of the speech engine: ${reply.kind}`);
  const retryable = reply.code === 'ENGINE_UNAVAILABLE';
  return new AppError(reply.code, reply.message, retryable ? { details: { retryable } } : {});
}
