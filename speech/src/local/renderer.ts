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
/** Samples above this are bent instead of clipped. */
const KNEE = 0.8;
const MAX_VOICES = 64;

/** A language or variant that espeak-ng does not have. */
export class UnknownVoiceError extends Error {}

interface PreparedVoice {
  language: string;
  equalizer: Equalizer;
  breath: Breath | null;
  /** Of one profile for all of its texts, so that its chunks match each other. */
  gain: number;
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

  /** Samples at `ESPEAK_RATE`. Throws `UnknownVoiceError`. */
  render(text: string, profile: LocalVoiceProfile, speed: number): Speech {
    const voice = this.#prepare(profile);
    const { samples, words } = this.#speak(text, profile, voice, speed);
    for (let i = 0; i < samples.length; i++) samples[i] = bend((samples[i] ?? 0) * voice.gain);
    return { samples, sampleRate: ESPEAK_RATE, words };
  }

  #prepare(profile: LocalVoiceProfile): PreparedVoice {
    // Pace does not change loudness.
    const key = JSON.stringify({ ...profile, rate: 0 });
    const known = this.#voices.get(key);
    if (known) return known;
    const language = espeakLanguage(profile.language, this.#codes);
    if (language === null) throw new UnknownVoiceError(`The local engine does not speak ${profile.language}.`);
    if (profile.variant !== '' && !this.#espeak.variants.has(profile.variant)) {
      throw new UnknownVoiceError(`The local engine has no voice variant ${profile.variant}.`);
    }
    const voice: PreparedVoice = {
      language,
      equalizer: createEqualizer(profile.equalizer, ESPEAK_RATE),
      breath: profile.breath ? createBreath(profile.breath, ESPEAK_RATE) : null,
      gain: 1,
    };
    const { samples } = this.#speak(CALIBRATION_TEXT, { ...profile, rate: 175 }, voice, 1);
    const { lufs } = measureLoudness(samples, ESPEAK_RATE);
    if (Number.isFinite(lufs)) voice.gain = 10 ** ((TARGET_LUFS - lufs) / 20);
    if (this.#voices.size >= MAX_VOICES) this.#voices.clear();
    this.#voices.set(key, voice);
    return voice;
  }

  #speak(
    text: string,
    profile: LocalVoiceProfile,
    voice: PreparedVoice,
    speed: number,
  ): { samples: Float32Array; words: WordTiming[] } {
    const said = spokenText(text);
    const silence = { samples: new Float32Array(SILENCE_SECONDS * ESPEAK_RATE), words: [] };
    if (said.spoken === '') return silence;
    // Sound is played `formantShift` times as fast afterwards: espeak speaks the slower for it.
    const { rate, stretch } = espeakRate(profile.rate, profile.formantShift / speed);
    const speech = this.#espeak.speak(said.spoken, {
      language: voice.language,
      variant: profile.variant,
      pitch: profile.pitch,
      range: profile.range,
      rate,
    });
    const words = wordTimings(text, said, speech);
    if (words.length === 0) return silence;
    const shift = Math.round(profile.formantShift * 100);
    const stretched = timeStretch(speech.samples, ESPEAK_RATE, stretch);
    const samples = voice.equalizer(resample(stretched, shift, 100));
    voice.breath?.(samples);
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
