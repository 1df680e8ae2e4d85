import { readFile } from 'node:fs/promises';
import { encodeWav } from '@timbre/speech/codecs/wav';
import { decodeRecording } from '@timbre/speech/decoding/decode-recording';
import { LocalVoiceProfile, type SpeechEngine } from '@timbre/speech/engine';
import lena from 'audio-lena';
import type { File } from './cloning.ts';

/** Twelve seconds of a woman's speech, recorded. */
export async function lenaAs(format: string): Promise<File> {
  return { fileName: `lena.${format}`, mimeType: 'audio/wav', bytes: await readFile(lena.url(format)) };
}

/** The same speech in two parts: samples and, by the same speaker, a consent. */
export async function lenaInTwo(): Promise<[File, File]> {
  const { samples, sampleRate } = await decodeRecording(await readFile(lena.url('flac')));
  const at = Math.round(samples.length * 0.6);
  const part = (fileName: string, bytes: Uint8Array): File => ({ fileName, mimeType: 'audio/wav', bytes });
  return [
    part('sample.wav', encodeWav(samples.subarray(0, at), sampleRate)),
    part('consent.wav', encodeWav(samples.subarray(at), sampleRate)),
  ];
}

/** Somebody else: a low voice of the engine. */
export async function somebodyElse(engine: SpeechEngine): Promise<File> {
  const profile = LocalVoiceProfile.parse({
    engine: 'local',
    language: 'en-us',
    variant: 'm3',
    pitch: 30,
    range: 40,
    rate: 160,
  });
  const text = 'I agree to this, although I am not at all the person who speaks in the other recordings.';
  const { samples, sampleRate } = await engine.synthesize({ text, profile });
  return { fileName: 'somebody.wav', mimeType: 'audio/wav', bytes: encodeWav(samples, sampleRate) };
}
