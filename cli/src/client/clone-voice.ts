import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import {
  BeginVoiceCloneDocument,
  FinalizeVoiceCloneDocument,
  SubmitVoiceConsentDocument,
  VoiceStatusChangedDocument,
  type VoiceJobFieldsFragment,
} from '../generated/graphql.ts';
import type { GraphClient } from './graph-client.ts';
import { refuse, UserErrors } from './refuse.ts';

const MIME_TYPES: Record<string, string> = {
  '.wav': 'audio/wav',
  '.flac': 'audio/flac',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
  '.opus': 'audio/opus',
  '.m4a': 'audio/mp4',
  '.webm': 'audio/webm',
};

interface CloneRequest {
  name: string;
  /** Paths of the recordings. */
  recordings: string[];
  speakerName: string;
  labels?: { key: string; value: string }[];
  /** Called with the fitting's progress, 0 to 1. */
  onProgress?: (fitting: number) => void;
}

/**
 * Clones a voice as a client does it: announce the recordings, PUT them to their signed addresses, give consent,
 * finalize, then follow `voiceStatusChanged` until the voice is ready.
 *
 * @throws UserErrors when the graph refuses a step, or when the job fails
 */
export async function cloneVoice(client: GraphClient, request: CloneRequest): Promise<VoiceJobFieldsFragment> {
  const files = await Promise.all(request.recordings.map(describeRecording));
  const { beginVoiceClone: begun } = await client.execute(BeginVoiceCloneDocument, {
    input: {
      idempotencyKey: randomUUID(),
      name: request.name,
      labels: request.labels ?? null,
      samples: files.map((file) => file.input),
    },
  });
  refuse(begun?.errors);
  if (!begun?.voice) throw new Error('beginVoiceClone answered without a voice.');
  const voiceId = begun.voice.id;
  await Promise.all(
    begun.uploads.map(async (upload, index) => {
      const response = await fetch(upload.url, {
        method: upload.method,
        headers: Object.fromEntries(upload.headers.map((header) => [header.name, header.value])),
        body: files[index]?.bytes ?? null,
      });
      if (!response.ok)
        throw new Error(
          `Upload of ${files[index]?.input.fileName} answered ${response.status}: ${await response.text()}`,
        );
    }),
  );
  const { submitVoiceConsent: consent } = await client.execute(SubmitVoiceConsentDocument, {
    input: { idempotencyKey: randomUUID(), voiceId, speakerName: request.speakerName, locale: 'en', attestation: true },
  });
  refuse(consent?.errors);
  const { finalizeVoiceClone: finalized } = await client.execute(FinalizeVoiceCloneDocument, {
    voiceId,
    idempotencyKey: randomUUID(),
  });
  refuse(finalized?.errors);
  for await (const { voiceStatusChanged: voice } of client.subscribe(VoiceStatusChangedDocument, { voiceId })) {
    if (!voice) continue;
    if (voice.fitting !== null && voice.fitting !== undefined) request.onProgress?.(voice.fitting);
    if (voice.failure) throw new UserErrors([voice.failure]);
    if (voice.status === 'READY') return voice;
  }
  throw new Error('The subscription ended before the voice was ready.');
}

async function describeRecording(path: string) {
  const bytes = await readFile(path);
  const mimeType = MIME_TYPES[extname(path).toLowerCase()];
  if (!mimeType)
    throw new Error(`${path}: not a recording that can be uploaded. Formats: ${Object.keys(MIME_TYPES).join(' ')}`);
  return {
    bytes,
    input: {
      fileName: basename(path),
      mimeType,
      sizeBytes: bytes.byteLength,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    },
  };
}
