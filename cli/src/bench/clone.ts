import { createLogger } from '@timbre/platform/logger';
import { timbreDistance } from '@timbre/speech/analysis/cepstrum';
import { measureVoice, type VoiceMeasure } from '@timbre/speech/analysis/voice-measure';
import { DEFAULT_PROFILE, type VoiceProfile } from '@timbre/speech/engine';
import { createLocalEngine, type LocalEngine } from '@timbre/speech/local/local-engine';
import { CommandError, runCommand } from '../run-command.ts';
import { readSpeakers, type Speaker } from './clone-speakers.ts';
import { CLONE_TEXT } from './clone-text.ts';
import { aligned } from './table.ts';

/** Of voiced frames, on both sides of every distance; less is said so. */
const LEAST_SPEECH_SECONDS = 15;

interface Result {
  speaker: Speaker;
  fitSeconds: number;
  /** Of the utterances that the fit heard, and of those that it did not. */
  enrolled: VoiceMeasure;
  heldOut: VoiceMeasure;
  clone: VoiceMeasure;
}

/** `npm run bench -- clone`: fits a voice to each speaker's first utterances and compares it with the others. */
export function run(args: string[]): Promise<void> {
  return runCommand({
    usage: `npm run bench -- clone --speakers DIR

Clones each speaker of DIR (files SPEAKER-CHAPTER-UTTERANCE.flac) from the first 12 s and measures the clones, reading a text
that no fit hears, against the speakers' other utterances. Timbre distance: 13 mel cepstra without c0 over voiced frames, their
means and deviations, in units of the deviation pooled over all speakers.`,
    args,
    options: { speakers: { type: 'string' } },
    run: async ({ speakers: directory }) => {
      if (directory === undefined) throw new CommandError('Which speakers? --speakers DIR', 2);
      const engine = await createLocalEngine({ log: createLogger({ name: 'bench', level: 'warn' }) });
      if (!engine) throw new CommandError('The local engine is not installed: npm install --include=optional', 2);
      try {
        await measure(engine, await readSpeakers(directory));
      } finally {
        await engine.close();
      }
    },
  });
}

async function measure(engine: LocalEngine, speakers: Speaker[]): Promise<void> {
  const plain = await voiceOf(engine, DEFAULT_PROFILE);
  const results: Result[] = [];
  for (const speaker of speakers) {
    const begun = performance.now();
    const { profile } = await engine.fit({ recordings: speaker.enrolled });
    results.push({
      speaker,
      fitSeconds: (performance.now() - begun) / 1000,
      enrolled: measureVoice(speaker.enrolled),
      heldOut: measureVoice(speaker.heldOut),
      clone: await voiceOf(engine, profile),
    });
  }
  const scale = pooledDeviation(results.map(({ heldOut }) => heldOut));
  const distance = (a: VoiceMeasure, b: VoiceMeasure): number => timbreDistance(a.cepstrum, b.cepstrum, scale);
  printSpeakers(results, plain, distance);
  printIdentification(results, distance);
}

async function voiceOf(engine: LocalEngine, profile: VoiceProfile): Promise<VoiceMeasure> {
  const voice = measureVoice([await engine.synthesize({ text: CLONE_TEXT, profile })]);
  if (voice.voicedSeconds < LEAST_SPEECH_SECONDS)
    console.log(`Only ${voice.voicedSeconds.toFixed(1)} s of voiced speech were synthesized.`);
  return voice;
}

/** Of each cepstrum: the root of the mean of the speakers' variances. */
function pooledDeviation(voices: readonly VoiceMeasure[]): number[] {
  const [first] = voices;
  return (first?.cepstrum.deviation ?? []).map((_, i) =>
    Math.sqrt(voices.reduce((sum, voice) => sum + (voice.cepstrum.deviation[i] ?? 0) ** 2, 0) / voices.length),
  );
}

type Distance = (a: VoiceMeasure, b: VoiceMeasure) => number;

function printSpeakers(results: readonly Result[], plain: VoiceMeasure, distance: Distance): void {
  const rows = [['speaker', 'F0 error', 'F0 error*', 'range error', 'pace', 'timbre before', 'after', 'change', 'fit']];
  const changes: number[] = [];
  const errors: number[] = [];
  for (const { speaker, enrolled, heldOut, clone, fitSeconds } of results) {
    const before = distance(plain, heldOut);
    const after = distance(clone, heldOut);
    const error = semitones(clone.f0MedianHz / enrolled.f0MedianHz);
    changes.push(after / before - 1);
    errors.push(Math.abs(error));
    rows.push([
      speaker.id,
      `${signed(error)} st`,
      `${signed(semitones(clone.f0MedianHz / heldOut.f0MedianHz))} st`,
      `${signed(clone.rangeSemitones - enrolled.rangeSemitones)} st`,
      `× ${(clone.syllablesPerSecond / enrolled.syllablesPerSecond).toFixed(2)}`,
      before.toFixed(3),
      after.toFixed(3),
      percent(after / before - 1),
      `${fitSeconds.toFixed(1)} s`,
    ]);
  }
  console.log(`\n${aligned(rows)}`);
  console.log(
    'F0, range and pace against the enrolled recordings, which the clone is to sound like; F0 error* and timbre against the',
  );
  console.log(
    'held-out utterances, which differ from them by as much as the speaker does from one utterance to the next.',
  );
  console.log(
    `Largest F0 error ${Math.max(...errors).toFixed(2)} st (aim ≤ 0.5); timbre ${percent(median(changes))} in the median (aim ≤ -20 %),`,
  );
  console.log(`${percent(Math.max(...changes))} for the worst (aim: none up).`);
}

function printIdentification(results: readonly Result[], distance: Distance): void {
  const rows = [['clone of', ...results.map(({ speaker }) => speaker.id), 'nearest']];
  let identified = 0;
  for (const { speaker, clone } of results) {
    const distances = results.map((other) => distance(clone, other.heldOut));
    const nearest = results[distances.indexOf(Math.min(...distances))]?.speaker.id ?? '';
    if (nearest === speaker.id) identified++;
    rows.push([speaker.id, ...distances.map((value) => value.toFixed(3)), nearest]);
  }
  console.log(`\n${aligned(rows)}`);
  console.log(`${identified} of ${results.length} identified.`);
}

function semitones(ratio: number): number {
  return 12 * Math.log2(ratio);
}

function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${value.toFixed(2)}`;
}

function percent(share: number): string {
  return `${signed(share * 100).replace(/\.\d+$/, '')} %`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
