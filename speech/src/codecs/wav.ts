import { AppError } from '@timbre/platform/errors';

const HEADER_BYTES = 44;
const PCM = 1;

/** Rounds to 16 bits, clipping what is beyond full scale. */
export function toInt16(samples: Float32Array): Int16Array {
  const out = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    const scaled = Math.round((samples[i] ?? 0) * 32_767);
    out[i] = scaled > 32_767 ? 32_767 : scaled < -32_768 ? -32_768 : scaled;
  }
  return out;
}

/** Bytes of 16-bit samples, little-endian. */
export function int16Bytes(samples: Int16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < samples.length; i++) view.setInt16(i * 2, samples[i] ?? 0, true);
  return bytes;
}

/**
 * RIFF header of mono 16-bit PCM (Microsoft "Multimedia Programming Interface and Data Specifications 1.0").
 * Without a sample count the sizes are 0xFFFFFFFF, which players take for "until the end of the stream".
 */
export function wavHeader(sampleRate: number, sampleCount: number | null): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const ascii = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  const dataBytes = sampleCount === null ? 0xffff_ffff : sampleCount * 2;
  if (dataBytes > 0xffff_ffff - 36 && sampleCount !== null) {
    throw new AppError(
      'PAYLOAD_TOO_LARGE',
      `A WAV file holds at most 4 GiB; ${String(dataBytes)} bytes of samples were to be written.`,
    );
  }
  ascii(0, 'RIFF');
  view.setUint32(4, sampleCount === null ? 0xffff_ffff : dataBytes + 36, true);
  ascii(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  ascii(36, 'data');
  view.setUint32(40, dataBytes, true);
  return bytes;
}

/** A whole mono 16-bit WAV file. */
export function encodeWav(samples: Float32Array, sampleRate: number): Uint8Array {
  const data = toInt16(samples);
  const file = new Uint8Array(HEADER_BYTES + data.length * 2);
  file.set(wavHeader(sampleRate, data.length));
  file.set(int16Bytes(data), HEADER_BYTES);
  return file;
}

/**
 * Reads a 16-bit PCM WAV file such as `encodeWav` writes (channels are averaged), for our own chunk files; what people
 * upload goes through `decodeRecording`. Throws AppError `AUDIO_UNREADABLE` or `AUDIO_TRUNCATED`.
 */
export function decodeWav(bytes: Uint8Array): { samples: Float32Array; sampleRate: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ascii = (at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length));
  if (bytes.length < 12 || ascii(0, 4) !== 'RIFF' || ascii(8, 4) !== 'WAVE')
    throw unreadable('it has no RIFF/WAVE header');
  let channels = 0;
  let sampleRate = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    const id = ascii(at, 4);
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (id === 'fmt ' && body + 16 <= bytes.length) {
      if (view.getUint16(body, true) !== PCM || view.getUint16(body + 14, true) !== 16)
        throw unreadable('it is not 16-bit PCM');
      channels = view.getUint16(body + 2, true);
      sampleRate = view.getUint32(body + 4, true);
    }
    if (id === 'data') {
      if (channels === 0 || sampleRate === 0) throw unreadable('its samples come before their format');
      const available = bytes.length - body;
      if (size !== 0xffff_ffff && size > available) {
        throw new AppError(
          'AUDIO_TRUNCATED',
          `The WAV file announces ${String(size)} bytes of samples and holds ${String(available)}.`,
        );
      }
      return { samples: readFrames(view, body, Math.min(size, available), channels), sampleRate };
    }
    at = body + size + (size % 2);
  }
  throw unreadable('it has no samples');
}

function readFrames(view: DataView, offset: number, byteLength: number, channels: number): Float32Array {
  const samples = new Float32Array(Math.floor(byteLength / (2 * channels)));
  for (let i = 0; i < samples.length; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += view.getInt16(offset + (i * channels + c) * 2, true);
    samples[i] = sum / channels / 32_767;
  }
  return samples;
}

function unreadable(why: string): AppError {
  return new AppError('AUDIO_UNREADABLE', `The WAV file cannot be read: ${why}.`);
}
