import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeRecording } from '@timbre/speech/decoding/decode-recording';
import type { Recording } from '@timbre/speech/engine';
import { CommandError } from '../run-command.ts';

/** Enough to clone from, s: the first utterances, the last of them cut where this is reached. */
const ENROLMENT_SECONDS = 12;

export interface Speaker {
  id: string;
  enrolled: Recording[];
  enrolledSeconds: number;
  /** Utterances of which nothing was enrolled. */
  heldOut: Recording[];
}

/** Reads `SPEAKER-CHAPTER-UTTERANCE.flac` files (or another format that recordings come in) of several speakers. */
export async function readSpeakers(directory: string): Promise<Speaker[]> {
  const files = await readdir(directory).catch(() => {
    throw new CommandError(`There is no directory ${directory}.`, 2);
  });
  const names = files.filter((name) => /^[^-]+-.+\.(?:flac|wav|mp3|ogg|opus|m4a|webm)$/.test(name)).toSorted();
  if (names.length === 0)
    throw new CommandError(`${directory} holds no files named SPEAKER-CHAPTER-UTTERANCE.flac.`, 2);
  const speakers = new Map<string, Speaker>();
  for (const name of names) {
    const id = name.slice(0, name.indexOf('-'));
    const speaker = speakers.get(id) ?? { id, enrolled: [], enrolledSeconds: 0, heldOut: [] };
    speakers.set(id, speaker);
    take(speaker, await decodeRecording(join(directory, name)));
  }
  for (const { id, heldOut } of speakers.values()) {
    if (heldOut.length === 0)
      throw new CommandError(`Speaker ${id} has no more than the ${ENROLMENT_SECONDS} s that are enrolled.`, 2);
  }
  return [...speakers.values()];
}

function take(speaker: Speaker, { samples, sampleRate }: Recording): void {
  const room = Math.round((ENROLMENT_SECONDS - speaker.enrolledSeconds) * sampleRate);
  if (room <= 0 || speaker.heldOut.length > 0) {
    speaker.heldOut.push({ samples, sampleRate });
    return;
  }
  const enrolled = samples.subarray(0, room);
  speaker.enrolled.push({ samples: enrolled, sampleRate });
  speaker.enrolledSeconds += enrolled.length / sampleRate;
}
