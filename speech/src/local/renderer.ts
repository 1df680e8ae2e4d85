import type { LocalVoiceProfile, Speech, WordTiming } from '../engine.ts';
import { createBreath } from '../dsp/breath.ts';
import type { Breath } from '../dsp/breath.ts';
import { createEqualizer } from '../dsp/equalizer.ts';
import type { Equalizer } from '../dsp/equalizer.ts';
import { resample } from '../dsp/resampler.ts';
import { timeStretch } from '../dsp/time-stretch.ts';
import { measureLoudness } from '../measure.ts';
import { ESPEAK_RATE } from './espeak.ts';
import type { Espeak } from './espeak.ts';
import { espeakLanguage } from './languages.ts';
import { espeakRate } from './pace.ts';
import { spokenText } from './spoken-text.ts';
import { wordTimings } from './word-timings.ts';

/** Loudness that every voice speaks at, LUFS: leaves a clone's peaks room below full scale. */
export const TARGET_LUFS = -20;
/** What a text without anything to say sounds like, s. */
const SILENCE_SECONDS = 0.1;
/** Its loudness sets a profile's gain: long enough to be typical, short enough not to be waited for. */
const CALIBRATION_TEXT = 'The birch canoe slid on the smooth planks, and the box was thrown beside the parked truck.';
const CALIBRATION_LANGUAGE = 'en-us';
/** Samples above this are bent instead of clipped. */
const KNEE = 0.8;
const MAX_VOICES = 64;
/** espeak has little near the Nyquist frequency that a gentle slope could fold. */
const SHIFT_QUALITY = { zeroCrossings: 14 };

/** A language or variant that espeak-ng does not have. */
export class UnknownVoiceError extends Error {}

interface Filters {
  equalizer: Equalizer;
  breath: Breath | null;
}

interface PreparedVoice extends Filters {
  /** Of one profile for all of its texts, so that its chunks match each other. */
  gain: number;
}

function filters({ equalizer, breath }: LocalVoiceProfile): Filters {
  return {
    equalizer: createEqualizer(equalizer, ESPEAK_RATE),
    breath: breath ? createBreath(breath, ESPEAK_RATE) : null,
  };
}

/** Speaks with espeak-ng as a profile says. */
export class Renderer {
  readonly #espeak: Espeak;
  readonly #codes: ReadonlySet<string>;
  readonly #voices = new Map<string, PreparedVoice>();

  constructor(espeak: Espeak) {
    this.#espeak = espeak;
    this.#codes = new Set(espeak.languages);
  }

  /** Samples at `ESPEAK_RATE`, every voice equally loud. Throws `UnknownVoiceError`. */
  render(text: string, profile: LocalVoiceProfile, speed: number): Speech {
    const voice = this.#prepare(profile);
    const { samples, words } = this.#speak(text, this.#language(profile), profile, voice, speed);
    for (let i = 0; i < samples.length; i++) samples[i] = bend((samples[i] ?? 0) * voice.gain);
    return { samples, sampleRate: ESPEAK_RATE, words };
  }

  /** The same for a profile that is only tried: as loud as it comes, and not kept. */
  sketch(text: string, profile: LocalVoiceProfile): Speech {
    const { samples, words } = this.#speak(text, this.#language(profile), profile, filters(profile), 1);
    return { samples, sampleRate: ESPEAK_RATE, words };
  }

  #language({ language, variant }: LocalVoiceProfile): string {
    const code = espeakLanguage(language, this.#codes);
    if (code === null) throw new UnknownVoiceError(`The local engine does not speak ${language}.`);
    if (variant !== '' && !this.#espeak.variants.has(variant)) {
      throw new UnknownVoiceError(`The local engine has no voice variant ${variant}.`);
    }
    return code;
  }

  #prepare(profile: LocalVoiceProfile): PreparedVoice {
    // Neither pace nor language changes how loud a voice is.
    const typical = { ...profile, rate: 175, language: CALIBRATION_LANGUAGE };
    const key = JSON.stringify(typical);
    const known = this.#voices.get(key);
    if (known) return known;
    const voice: PreparedVoice = { ...filters(profile), gain: 1 };
    const { samples } = this.#speak(CALIBRATION_TEXT, this.#language(typical), typical, voice, 1);
    const { lufs } = measureLoudness(samples, ESPEAK_RATE);
    if (Number.isFinite(lufs)) voice.gain = 10 ** ((TARGET_LUFS - lufs) / 20);
    if (this.#voices.size >= MAX_VOICES) this.#voices.clear();
    this.#voices.set(key, voice);
    return voice;
  }

  #speak(
    text: string,
    language: string,
    profile: LocalVoiceProfile,
    { equalizer, breath }: Filters,
    speed: number,
  ): { samples: Float32Array; words: WordTiming[] } {
    const said = spokenText(text);
    const silence = { samples: new Float32Array(SILENCE_SECONDS * ESPEAK_RATE), words: [] };
    if (said.spoken === '') return silence;
    // Sound is played `formantShift` times as fast afterwards: espeak speaks the slower for it.
    const { rate, stretch } = espeakRate(profile.rate, profile.formantShift / speed);
    const speech = this.#espeak.speak(said.spoken, {
      language,
      variant: profile.variant,
      pitch: profile.pitch,
      range: profile.range,
      rate,
    });
    const words = wordTimings(text, said, speech);
    if (words.length === 0) return silence;
    const shift = Math.round(profile.formantShift * 100);
    const stretched = timeStretch(speech.samples, ESPEAK_RATE, stretch);
    const samples = equalizer(resample(stretched, shift, 100, SHIFT_QUALITY));
    breath?.(samples);
    const scale = samples.length / speech.samples.length;
    const at = (sample: number): number => Math.min(samples.length, Math.round(sample * scale));
    return {
      samples: samples === speech.samples ? Float32Array.from(samples) : samples,
      words: words.map((word) => ({ ...word, startSample: at(word.startSample), endSample: at(word.endSample) })),
    };
  }
}

/** Leaves what is below the knee alone and bends the rest smoothly towards full scale. */
function bend(sample: number): number {
  const magnitude = Math.abs(sample);
  if (magnitude <= KNEE) return sample;
  const over = (magnitude - KNEE) / (1 - KNEE);
  return Math.sign(sample) * (KNEE + (1 - KNEE) * Math.tanh(over));
}
