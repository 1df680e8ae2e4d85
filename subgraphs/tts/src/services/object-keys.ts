import { FORMATS } from '@timbre/speech/codecs/formats';
import type { AudioFormat } from '@timbre/speech/codecs/formats';

/** Where a rendering's objects are: below the tenant. */
export const renderingPrefix = (ownerId: string, renderingId: string): string => `tts/${ownerId}/${renderingId}/`;

export const chunksPrefix = (ownerId: string, renderingId: string): string =>
  `${renderingPrefix(ownerId, renderingId)}chunks/`;

/** One name per attempt: what a worker that was taken for dead still writes is never read. */
export const chunkKey = (ownerId: string, renderingId: string, index: number, attempt: number): string =>
  `${chunksPrefix(ownerId, renderingId)}${String(index)}-${String(attempt)}.wav`;

export const audioKey = (ownerId: string, renderingId: string, run: number, format: AudioFormat): string =>
  `${renderingPrefix(ownerId, renderingId)}audio-${String(run)}.${FORMATS[format].extension}`;
