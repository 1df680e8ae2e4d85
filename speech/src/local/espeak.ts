import { z } from 'zod';

import { ESPEAK_PACKAGE } from './espeak-package.ts';

/** espeak-ng speaks at this rate, Hz. */
export const ESPEAK_RATE = 22_050;

const VARIANTS_DIRECTORY = '/usr/share/espeak-ng-data/voices/!v';
/** A sound longer than this is cut off: digits and symbols can make an hour of a page. */
const MAX_SECONDS = 1_800;

export interface EspeakSettings {
  /** espeak's own language code. */
  language: string;
  /** Empty for the language's own voice. */
  variant: string;
  /** 0–99. */
  pitch: number;
  /** 0–99. */
  range: number;
  /** Words per minute, 80–450. */
  rate: number;
}

/** A word that espeak begins to say: position and length in code points of the text it was given, time in samples. */
export interface EspeakWord {
  position: number;
  length: number;
  sample: number;
}

export interface EspeakSpeech {
  samples: Float32Array;
  words: EspeakWord[];
  /** Samples at which a clause, its pause included, is over. */
  clauseEnds: number[];
}

export interface Espeak {
  /** espeak's codes, such as `en-us`. */
  readonly languages: string[];
  readonly variants: ReadonlySet<string>;
  /** Synchronous; about 300× real time. Throws RangeError where espeak has no such language. */
  speak(text: string, settings: EspeakSettings): EspeakSpeech;
}

interface Event {
  type: string;
  text_position: number;
  word_length: number;
  audio_position: number;
}

interface Worker {
  set_voice(name: string): number;
  set_rate(value: number): void;
  set_pitch(value: number): void;
  set_range(value: number): void;
  list_voices(): { identifier: string; languages: { name: string }[] }[];
  /** `onAudio` stops the synthesis by returning true. */
  synthesize(text: string, onAudio: (samples: Int16Array, events: Event[]) => boolean): void;
}

interface EspeakModule {
  eSpeakNGWorker: new () => Worker;
  FS: { readdir(path: string): string[] };
}

/** The package has no types: this much of its shape is checked when it is loaded. */
const EspeakPackage = z.object({
  default: z.custom<() => Promise<EspeakModule>>((value) => typeof value === 'function'),
});

/** Loads espeak-ng (GPL-3.0) into this process: only the engine's own child process may call it. */
export async function loadEspeak(): Promise<Espeak> {
  const { default: create } = EspeakPackage.parse(await import(ESPEAK_PACKAGE));
  const module = await create();
  const worker = new module.eSpeakNGWorker();
  // `set_voice` takes the name of a voice's file, which is not always its language's code (`en` for en-gb, `fr` for fr-fr).
  const files = new Map(
    worker
      .list_voices()
      .toReversed()
      .flatMap(({ identifier, languages: [language] }) =>
        language === undefined ? [] : [[language.name, identifier] as const],
      ),
  );
  const variants = new Set(module.FS.readdir(VARIANTS_DIRECTORY).filter((name) => /^[\w-]+$/.test(name)));
  let voice = '';
  return {
    languages: [...files.keys()],
    variants,
    speak(text, settings) {
      const file = files.get(settings.language) ?? settings.language;
      const wanted = settings.variant === '' ? file : `${file}+${settings.variant}`;
      if (wanted !== voice && worker.set_voice(wanted) !== 0) {
        voice = '';
        throw new RangeError(`espeak-ng has no voice ${wanted}`);
      }
      voice = wanted;
      worker.set_rate(Math.round(settings.rate));
      worker.set_pitch(Math.round(settings.pitch));
      worker.set_range(Math.round(settings.range));
      return collect(worker, text);
    },
  };
}

function collect(worker: Worker, text: string): EspeakSpeech {
  const pieces: Int16Array[] = [];
  const words: EspeakWord[] = [];
  const clauseEnds: number[] = [];
  let length = 0;
  worker.synthesize(text, (piece, events) => {
    pieces.push(piece);
    length += piece.length;
    for (const event of events) {
      const sample = Math.round((event.audio_position / 1000) * ESPEAK_RATE);
      // espeak counts from 1.
      if (event.type === 'word') words.push({ position: event.text_position - 1, length: event.word_length, sample });
      if (event.type === 'end') clauseEnds.push(sample);
    }
    return length > MAX_SECONDS * ESPEAK_RATE;
  });
  const samples = new Float32Array(length);
  let at = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i++) samples[at + i] = (piece[i] ?? 0) / 32_768;
    at += piece.length;
  }
  return { samples, words, clauseEnds };
}
