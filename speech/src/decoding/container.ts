import { AppError } from '@timbre/platform/errors';
import { fileTypeFromBuffer } from 'file-type';

import { RECORDING_CONTAINERS } from './decoded-recording.ts';
import type { RecordingContainer } from './decoded-recording.ts';

/** The decoder's name for a container, what it is called for people, and its media type. */
export interface Container {
  name: RecordingContainer;
  decoder: 'wav' | 'flac' | 'mp3' | 'oga' | 'opus' | 'm4a' | 'webm';
  contentType: string;
}

const CONTAINERS: Record<string, Container> = {
  wav: { name: 'wav', decoder: 'wav', contentType: 'audio/wav' },
  flac: { name: 'flac', decoder: 'flac', contentType: 'audio/flac' },
  mp3: { name: 'mp3', decoder: 'mp3', contentType: 'audio/mpeg' },
  ogg: { name: 'ogg', decoder: 'oga', contentType: 'audio/ogg' },
  oga: { name: 'ogg', decoder: 'oga', contentType: 'audio/ogg' },
  opus: { name: 'opus', decoder: 'opus', contentType: 'audio/ogg; codecs=opus' },
  m4a: { name: 'm4a', decoder: 'm4a', contentType: 'audio/mp4' },
  mp4: { name: 'm4a', decoder: 'm4a', contentType: 'audio/mp4' },
  webm: { name: 'webm', decoder: 'webm', contentType: 'audio/webm' },
};

/** What a file is, by its first bytes. Throws AppError `AUDIO_UNREADABLE`. */
export async function detectContainer(bytes: Uint8Array): Promise<Container> {
  if (bytes.length === 0) throw unreadable('it is empty');
  const type = await fileTypeFromBuffer(bytes);
  const container = type && CONTAINERS[type.ext];
  if (!container)
    throw unreadable(type ? `it is ${type.mime}` : 'it is no audio that is known', { found: type?.mime ?? null });
  return container;
}

export function unreadable(why: string, details: Record<string, unknown> = {}): AppError {
  const accepted = RECORDING_CONTAINERS.join(', ');
  return new AppError('AUDIO_UNREADABLE', `The recording cannot be read: ${why}. Accepted are ${accepted}.`, {
    details: { accepted: RECORDING_CONTAINERS, ...details },
  });
}
