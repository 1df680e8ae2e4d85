import { LIMITS } from './limits.ts';
import { checkText, type Problems } from './validation.ts';

/** A recording that is going to be uploaded, as its sender describes it. */
export interface AnnouncedRecording {
  fileName: string;
  mimeType: string;
  sizeBytes: number;
  sha256: string;
}

/**
 * What browsers, phones and recorders call wav, flac, mp3, ogg, opus, m4a and webm. Only a first
 * sieve and the upload's content type: what a recording is, decoding tells.
 */
const MIME_TYPES: ReadonlySet<string> = new Set([
  'audio/wav',
  'audio/wave',
  'audio/x-wav',
  'audio/vnd.wave',
  'audio/flac',
  'audio/x-flac',
  'audio/mpeg',
  'audio/mp3',
  'audio/ogg',
  'application/ogg',
  'audio/opus',
  'audio/mp4',
  'audio/m4a',
  'audio/x-m4a',
  'audio/webm',
  'video/webm',
]);

const SHORT_LIST = 'audio/wav, audio/flac, audio/mpeg, audio/ogg, audio/opus, audio/mp4 or audio/webm';

export function checkRecording(problems: Problems, path: string[], sent: AnnouncedRecording): AnnouncedRecording {
  const fileName = checkText(problems, [...path, 'fileName'], sent.fileName, {
    what: 'The file name',
    min: 1,
    max: LIMITS.fileNameLength,
  });
  // MediaRecorder says "audio/webm;codecs=opus"; a signed content type has no use for the parameter.
  const mimeType = (sent.mimeType.slice(0, 100).split(';')[0] ?? '').trim().toLowerCase();
  if (!MIME_TYPES.has(mimeType)) {
    const what = JSON.stringify(sent.mimeType.slice(0, 100));
    problems.add('UNSUPPORTED_MEDIA_TYPE', [...path, 'mimeType'], `A recording is ${SHORT_LIST}, not ${what}.`);
  }
  if (sent.sizeBytes < 1) {
    problems.add('TOO_SMALL', [...path, 'sizeBytes'], `A recording has at least 1 byte, not ${sent.sizeBytes}.`);
  }
  if (sent.sizeBytes > LIMITS.sampleBytes) {
    problems.add(
      'TOO_LARGE',
      [...path, 'sizeBytes'],
      `A recording may have at most ${LIMITS.sampleBytes} bytes (25 MiB), not ${sent.sizeBytes}.`,
    );
  }
  if (!/^[0-9a-f]{64}$/.test(sent.sha256)) {
    problems.add(
      'INVALID_SHA256',
      [...path, 'sha256'],
      `A SHA-256 is 64 lower-case hexadecimal digits, not ${JSON.stringify(sent.sha256.slice(0, 80))}.`,
    );
  }
  return { fileName, mimeType, sizeBytes: sent.sizeBytes, sha256: sent.sha256 };
}

export function checkSamples(
  problems: Problems,
  path: string[],
  sent: readonly AnnouncedRecording[],
): AnnouncedRecording[] {
  if (sent.length < 1 || sent.length > LIMITS.samples) {
    const code = sent.length < 1 ? 'TOO_FEW' : 'TOO_MANY';
    problems.add(code, path, `A clone takes 1 to ${LIMITS.samples} recordings, not ${sent.length}.`);
    return [];
  }
  const first = new Map<string, number>();
  const checked = sent.map((sample, index) => {
    const at = [...path, String(index)];
    const earlier = first.get(sample.sha256);
    if (earlier === undefined) first.set(sample.sha256, index);
    else {
      problems.add(
        'DUPLICATE',
        [...at, 'sha256'],
        `Recordings ${earlier} and ${index} are the same; send each only once.`,
      );
    }
    return checkRecording(problems, at, sample);
  });
  const total = sent.reduce((sum, sample) => sum + Math.max(0, sample.sizeBytes), 0);
  if (total > LIMITS.totalBytes) {
    problems.add(
      'TOO_LARGE',
      path,
      `The recordings of a clone may have at most ${LIMITS.totalBytes} bytes together (100 MiB), not ${total}.`,
    );
  }
  return checked;
}
