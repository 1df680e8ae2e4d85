import { setImmediate } from 'node:timers/promises';

import { AppError } from '@timbre/platform/errors';

import { DEFAULT_PROFILE } from '../engine.ts';
import type { FittedVoice, LocalVoiceProfile, Recording, Speech, VoiceMatch } from '../engine.ts';
import { timbreDistance } from '../analysis/cepstrum.ts';
import { measureVoice } from '../analysis/voice-measure.ts';
import type { VoiceMeasure } from '../analysis/voice-measure.ts';
import { CANDIDATE_VARIANTS, FORMANT_SHIFTS } from './candidates.ts';
import { HELD_OUT_TEXT, LONG_TEXT, SHORT_TEXT } from './texts.ts';
import { breathOf, correctedEqualizer, matchTimbre } from './timbre-match.ts';

export interface FitInput {
  recordings: readonly Recording[];
  /** The profile's language: its intonation decides on pitch and range, so the fit, whose texts are English, is spoken in it. */
  language: string;
  /** Variants that the engine has. */
  variants: ReadonlySet<string>;
  speak: (text: string, profile: LocalVoiceProfile) => Speech;
  onProgress: (progress: number) => void;
}

/** Voiced speech that a voice can be told by, s. */
export const MIN_VOICED_SECONDS = 3;
/** More of the recordings is not listened to, s: averages no longer move. */
const MAX_SECONDS = 120;
const VARIANTS_KEPT = 5;
const FINALISTS = 2;
const PROSODY_ROUNDS = 3;
const EQUALIZER_ROUNDS = 3;
/** What a semitone off pitch counts against a candidate, and a decibel that its equalizer works on average. */
const SEMITONE_COST = 0.05;
const DECIBEL_COST = 0.004;

/**
 * Finds the profile with which the engine sounds most like the speaker of the recordings: first the variants, then the best of
 * them with shifted formants at the speaker's pitch, then pitch, range, pace and spectrum in a closed loop with the engine.
 * Yields to the event loop between steps. Throws AppError `AUDIO_TOO_SHORT`.
 */
export async function fitVoice(input: FitInput): Promise<FittedVoice> {
  const progress = progressSteps(input.onProgress);
  const target = measureVoice(shortened(input.recordings));
  if (target.voicedSeconds < MIN_VOICED_SECONDS) {
    throw new AppError(
      'AUDIO_TOO_SHORT',
      `A voice needs at least ${String(MIN_VOICED_SECONDS)} s of voiced speech; the recordings have ${target.voicedSeconds.toFixed(1)} s.`,
      { details: { limitSeconds: MIN_VOICED_SECONDS, sentSeconds: Math.round(target.voicedSeconds * 10) / 10 } },
    );
  }
  const search = new Search(input, target);
  const variants = CANDIDATE_VARIANTS.filter((variant) => variant === '' || input.variants.has(variant));
  await progress(0.08);

  const rough: Candidate[] = [];
  for (const [i, variant] of variants.entries()) {
    rough.push(search.rough(variant));
    await progress(0.08 + (0.32 * (i + 1)) / variants.length);
  }
  const shifted: Candidate[] = [];
  const best = cheapest(rough, VARIANTS_KEPT);
  for (const [i, candidate] of best.entries()) {
    for (const shift of FORMANT_SHIFTS) shifted.push(search.shifted(candidate, shift));
    await progress(0.4 + (0.3 * (i + 1)) / best.length);
  }
  const finalists: Candidate[] = [];
  for (const [i, candidate] of cheapest(shifted, FINALISTS).entries()) {
    finalists.push(search.refined(candidate));
    await progress(0.7 + (0.24 * (i + 1)) / FINALISTS);
  }
  const [winner] = cheapest(finalists, 1);
  if (!winner) throw new Error('The engine has no variants');
  const match = search.match(winner.profile);
  await progress(1);
  return { profile: winner.profile, match };
}

interface Candidate {
  profile: LocalVoiceProfile;
  f0MedianHz: number;
  cost: number;
}

class Search {
  readonly #input: FitInput;
  readonly #target: VoiceMeasure;
  readonly #breath: number[];
  readonly #plain: LocalVoiceProfile;

  constructor(input: FitInput, target: VoiceMeasure) {
    this.#input = input;
    this.#target = target;
    this.#breath = breathOf(target);
    this.#plain = { ...DEFAULT_PROFILE, language: input.language };
  }

  /** A variant as it is. */
  rough(variant: string): Candidate {
    const profile: LocalVoiceProfile = { ...this.#plain, variant };
    const voice = this.#measure(SHORT_TEXT, profile);
    const reach = reachable(voice.f0MedianHz, this.#target.f0MedianHz);
    return { profile, f0MedianHz: voice.f0MedianHz, cost: this.#cost(voice) + reach * SEMITONE_COST };
  }

  /** At the target's pitch, with its formants moved. */
  shifted({ profile: { variant }, f0MedianHz }: Candidate, formantShift: number): Candidate {
    const pitch = pitchFor(50, this.#target.f0MedianHz / (f0MedianHz * formantShift));
    const profile: LocalVoiceProfile = { ...this.#plain, variant, formantShift, pitch };
    const voice = this.#measure(SHORT_TEXT, profile);
    return { profile, f0MedianHz: voice.f0MedianHz, cost: this.#cost(voice) + this.#offPitch(voice) * SEMITONE_COST };
  }

  /** Pitch, range, pace, then spectrum, each corrected by what is measured of the engine's speech. */
  refined({ profile: start }: Candidate): Candidate {
    const target = this.#target;
    let profile = start;
    let voice = this.#measure(LONG_TEXT, profile, true);
    for (let round = 0; round < PROSODY_ROUNDS; round++) {
      profile = {
        ...profile,
        range: clamp(
          Math.round(profile.range + (target.rangeSemitones - voice.rangeSemitones) / SEMITONES_PER_RANGE),
          0,
          99,
        ),
        pitch: pitchFor(profile.pitch, target.f0MedianHz / voice.f0MedianHz),
        rate: clamp(
          Math.round((profile.rate * target.syllablesPerSecond) / Math.max(0.5, voice.syllablesPerSecond)),
          70,
          330,
        ),
      };
      voice = this.#measure(LONG_TEXT, profile, true);
    }
    profile = {
      ...profile,
      breath: this.#breath.map(tenths),
      equalizer: matchTimbre(voice, target, this.#breath).equalizer.map(tenths),
    };
    let best: Candidate | null = null;
    for (let round = 0; round < EQUALIZER_ROUNDS; round++) {
      voice = this.#measure(LONG_TEXT, profile);
      const distance = timbreDistance(voice.cepstrum, target.cepstrum, target.cepstrum.deviation);
      const candidate = {
        profile,
        f0MedianHz: voice.f0MedianHz,
        cost: distance + this.#offPitch(voice) * SEMITONE_COST,
      };
      if (!best || candidate.cost < best.cost) best = candidate;
      const known = Math.min(voice.frames.bands, target.frames.bands);
      profile = {
        ...profile,
        equalizer: correctedEqualizer(profile.equalizer, voice.spectrumDb, target.spectrumDb, known).map(tenths),
        pitch: pitchFor(profile.pitch, target.f0MedianHz / voice.f0MedianHz),
      };
    }
    return best ?? { profile, f0MedianHz: 0, cost: Infinity };
  }

  /** What the clone and the engine's default voice are like on a text that the fit did not use. */
  match(profile: LocalVoiceProfile): VoiceMatch {
    const target = this.#target;
    const clone = this.#measure(HELD_OUT_TEXT, profile, true);
    const plain = this.#measure(HELD_OUT_TEXT, this.#plain);
    const scale = target.cepstrum.deviation;
    return {
      f0ErrorSemitones: semitones(clone.f0MedianHz / target.f0MedianHz),
      rangeErrorSemitones: clone.rangeSemitones - target.rangeSemitones,
      paceRatio: clone.syllablesPerSecond / Math.max(0.1, target.syllablesPerSecond),
      timbreBefore: timbreDistance(plain.cepstrum, target.cepstrum, scale),
      timbreAfter: timbreDistance(clone.cepstrum, target.cepstrum, scale),
    };
  }

  #measure(text: string, profile: LocalVoiceProfile, pace = false): VoiceMeasure {
    return measureVoice([this.#input.speak(text, profile)], { pace, bands: this.#target.frames.bands });
  }

  #cost(voice: VoiceMeasure): number {
    const { distance, equalizer } = matchTimbre(voice, this.#target, this.#breath);
    const effort = Math.sqrt(equalizer.reduce((sum, gain) => sum + gain * gain, 0) / equalizer.length);
    return distance + effort * DECIBEL_COST;
  }

  #offPitch(voice: VoiceMeasure): number {
    return Math.abs(semitones(voice.f0MedianHz / this.#target.f0MedianHz));
  }
}

/** espeak's pitch moves F0 by so many semitones for each step, below and above 50, measured. */
const SEMITONES_BELOW = 0.135;
const SEMITONES_ABOVE = 0.183;
/** The same for its range. */
const SEMITONES_PER_RANGE = 0.065;

/** The pitch parameter that makes F0 `ratio` times what it is at `pitch`. */
function pitchFor(pitch: number, ratio: number): number {
  const height = (p: number): number => (p - 50) * (p < 50 ? SEMITONES_BELOW : SEMITONES_ABOVE);
  const wished = height(pitch) + semitones(ratio);
  return clamp(Math.round(50 + wished / (wished < 0 ? SEMITONES_BELOW : SEMITONES_ABOVE)), 0, 99);
}

/** Semitones by which a variant's voice at pitch 50 cannot reach a target, its formants shifted as far as they may. */
function reachable(f0: number, target: number): number {
  const needed = semitones(target / f0);
  const lowest = -50 * SEMITONES_BELOW + semitones(Math.min(...FORMANT_SHIFTS));
  const highest = 49 * SEMITONES_ABOVE + semitones(Math.max(...FORMANT_SHIFTS));
  return Math.max(0, needed - highest, lowest - needed);
}

function cheapest(candidates: readonly Candidate[], count: number): Candidate[] {
  return candidates.toSorted((a, b) => a.cost - b.cost).slice(0, count);
}

/** The beginnings of the recordings, `MAX_SECONDS` in all, an equal share of each. */
function shortened(recordings: readonly Recording[]): Recording[] {
  const total = recordings.reduce((sum, { samples, sampleRate }) => sum + samples.length / sampleRate, 0);
  const share = Math.min(1, MAX_SECONDS / Math.max(total, 1));
  return recordings.map(({ samples, sampleRate }) => ({
    samples: samples.subarray(0, Math.ceil(samples.length * share)),
    sampleRate,
  }));
}

function progressSteps(report: (progress: number) => void): (progress: number) => Promise<void> {
  return async (progress) => {
    report(progress);
    // Lets the process hear that its parent is gone.
    await setImmediate();
  };
}

function semitones(ratio: number): number {
  return 12 * Math.log2(ratio);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
