import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The path of twelve seconds of one recorded speaker (npm package audio-lena, MIT). */
export function sampleRecording(extension: 'wav' | 'flac' | 'mp3' | 'ogg' | 'opus' | 'm4a' | 'webm'): string {
  return join(dirname(createRequire(import.meta.url).resolve('audio-lena')), `lena.${extension}`);
}
