import { z } from 'zod';

/** What a client chooses between; `creditsPerCharacter` is per UTF-16 code unit of the text as sent. */
export interface SpeechModel {
  id: string;
  name: string;
  /** Longest text of one generation, in UTF-16 code units. */
  maxCharacters: number;
  /** BCP 47 tags. */
  languages: string[];
  creditsPerCharacter: number;
}

/** Bands of a profile's equalizer; their centres are `EQUALIZER_BANDS` in analysis/bands.ts. */
export const EQUALIZER_BAND_COUNT = 40;
/** Largest boost or cut of one equalizer band, dB. */
export const EQUALIZER_LIMIT_DB = 18;

/** A voice of the local engine: how espeak-ng is asked to speak, and what is done to the sound afterwards. */
export const LocalVoiceProfile = z.object({
  engine: z.literal('local'),
  /** BCP 47 tag of the text's language, one of the model's `languages`. */
  language: z
    .string()
    .max(35)
    .regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/),
  /** espeak-ng voice variant (`f2`, `m3`, `Andy` …); empty for the language's own voice. */
  variant: z
    .string()
    .max(32)
    .regex(/^[A-Za-z0-9_-]*$/),
  /** espeak-ng pitch, 0–99. */
  pitch: z.number().min(0).max(99),
  /** espeak-ng pitch range, 0–99. */
  range: z.number().min(0).max(99),
  /** Words per minute as heard at speed 1. */
  rate: z.number().min(60).max(450),
  /** Formants and pitch times this, by resampling; pace is kept. */
  formantShift: z.number().min(0.7).max(1.4).default(1),
  /** Gain of each equalizer band, dB. */
  equalizer: z
    .array(z.number().min(-EQUALIZER_LIMIT_DB).max(EQUALIZER_LIMIT_DB))
    .length(EQUALIZER_BAND_COUNT)
    .default(() => Array.from({ length: EQUALIZER_BAND_COUNT }, () => 0)),
  /** Noise of breath and room that goes with the voice, dB under its momentary power, for each band; absent for none. */
  breath: z.array(z.number().min(-100).max(0)).length(EQUALIZER_BAND_COUNT).optional(),
});
export type LocalVoiceProfile = z.infer<typeof LocalVoiceProfile>;

/** How an engine makes a voice's sound: JSON, stored with the voice, discriminated by `engine`. */
export const VoiceProfile = z.discriminatedUnion('engine', [LocalVoiceProfile]);
export type VoiceProfile = z.infer<typeof VoiceProfile>;

/** The local engine's own voice, untouched: what a clone is compared with. */
export const DEFAULT_PROFILE: LocalVoiceProfile = {
  engine: 'local',
  language: 'en-us',
  variant: '',
  pitch: 50,
  range: 50,
  rate: 175,
  formantShift: 1,
  equalizer: Array.from({ length: EQUALIZER_BAND_COUNT }, () => 0),
};

/** One spoken word: UTF-16 offsets into the text as given, samples into the sound. Ends are exclusive. */
export interface WordTiming {
  charStart: number;
  charEnd: number;
  startSample: number;
  endSample: number;
}

export interface SynthesisRequest {
  text: string;
  profile: VoiceProfile;
  /** 1 is the voice's own pace; 0.5 to 2. */
  speed?: number;
  /** Aborting rejects with the signal's reason; a request that already runs in the engine's process is left to finish there. */
  signal?: AbortSignal | undefined;
}

export interface Speech {
  /** Mono, −1…1. */
  samples: Float32Array;
  sampleRate: number;
  /** In the order spoken. */
  words: WordTiming[];
}

export interface SpeechEngine {
  models(): SpeechModel[];
  /**
   * Text without anything to say (emoji, punctuation) gives a short silence without words.
   * Throws AppError `ENGINE_UNAVAILABLE` with `details.retryable` where the engine's process died or overran its time,
   * `BAD_USER_INPUT` for a language or variant that the engine does not have.
   */
  synthesize(request: SynthesisRequest): Promise<Speech>;
  /** False once it is closed, or while its process cannot be started. */
  available(): boolean;
  close(): Promise<void>;
}

/** Measured between the speaker's recordings and speech made with the clone, on text that the fit did not use. */
export interface VoiceMatch {
  /** Median pitch, clone minus speaker. */
  f0ErrorSemitones: number;
  /** Pitch range (10th to 90th percentile), clone minus speaker. */
  rangeErrorSemitones: number;
  /** Syllables per second, clone over speaker. */
  paceRatio: number;
  /** Timbre distance (mel cepstrum) of the engine's default voice. */
  timbreBefore: number;
  /** Timbre distance of the clone. */
  timbreAfter: number;
}

/** Mono sound, −1…1. */
export interface Recording {
  samples: Float32Array;
  sampleRate: number;
}

export interface FittingRequest {
  recordings: Recording[];
  /** BCP 47 tag of the language the voice shall speak; English (US) where absent. */
  language?: string;
  /** From 0 to 1, never falling. */
  onProgress?: (progress: number) => void;
  signal?: AbortSignal | undefined;
}

export interface FittedVoice {
  profile: VoiceProfile;
  match: VoiceMatch;
}

export interface VoiceFitter {
  /** Throws AppError `AUDIO_TOO_SHORT` (under 3 s of voiced speech), `AUDIO_SILENT`, `ENGINE_UNAVAILABLE`. */
  fit(request: FittingRequest): Promise<FittedVoice>;
}
