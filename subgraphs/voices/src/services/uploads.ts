import { INCOMING } from '@timbre/platform/storage/keys';
import type { ObjectStore } from '@timbre/platform/storage/object-store';
import { UPLOAD_SECONDS } from './limits.ts';
import { recordingKey } from './object-keys.ts';
import { invalid, type ValidationRefusal } from './refusals.ts';

export interface UploadTarget {
  sampleId: string;
  method: string;
  url: string;
  headers: { name: string; value: string }[];
  expiresAt: Date;
}

export interface Announced {
  id: string;
  mimeType: string;
  sizeBytes: number;
  sha256: string;
}

/** An announced recording, with the path under which errors name it. */
export interface Expected {
  recording: Announced;
  path: string[];
}

interface Place {
  ownerId: string;
  voiceId: string;
}

/** Where to PUT a recording: method, key, type, length, hash and expiry are bound in the signature. */
export async function uploadTarget(store: ObjectStore, place: Place, recording: Announced): Promise<UploadTarget> {
  const target = await store.uploadTarget({
    key: recordingKey(place.ownerId, place.voiceId, recording.id),
    contentType: recording.mimeType,
    sizeBytes: recording.sizeBytes,
    sha256: recording.sha256,
    expiresInSeconds: UPLOAD_SECONDS,
  });
  return { sampleId: recording.id, ...target };
}

/** The refusal of a recording of which nothing has arrived, or null. */
export async function missingRecording(
  store: ObjectStore,
  place: Place,
  { recording, path }: Expected,
): Promise<ValidationRefusal | null> {
  const key = recordingKey(place.ownerId, place.voiceId, recording.id);
  // In this order: what is taken in between the two looks is seen by the second.
  const found = (await store.head(INCOMING + key)) ?? (await store.head(key));
  return found === null ? missing(recording, path) : null;
}

/** Takes an upload into the store for good; gives what is wrong with it, or null. Doing it twice changes nothing. */
export async function acceptRecording(
  store: ObjectStore,
  place: Place,
  { recording, path }: Expected,
): Promise<ValidationRefusal | null> {
  const { id, sizeBytes, sha256 } = recording;
  const found = await store.acceptUpload(recordingKey(place.ownerId, place.voiceId, id), { sizeBytes, sha256 });
  if (found === 'accepted') return null;
  if (found === 'missing') return missing(recording, path);
  return invalid(
    'UPLOAD_MISMATCH',
    path,
    `What arrived as recording ${id} is not the ${sizeBytes} bytes with SHA-256 ${sha256} that were announced.`,
  );
}

function missing({ id, sizeBytes }: Announced, path: string[]): ValidationRefusal {
  return invalid('UPLOAD_MISSING', path, `Recording ${id} has not arrived: PUT its ${sizeBytes} bytes first.`);
}
