import { parseBuffer } from 'music-metadata';

import type { Container } from './container.ts';

/** What a file says about itself. */
export interface Claims {
  /** s; null where it does not say. */
  seconds: number | null;
  /** Its structure ends before it should. */
  cut: boolean;
}

/** Reads what a file claims, without decoding it. */
export async function readClaims(bytes: Uint8Array, container: Container): Promise<Claims> {
  return { seconds: await claimedSeconds(bytes, container), cut: isCut(bytes, container) };
}

async function claimedSeconds(bytes: Uint8Array, { name, contentType }: Container): Promise<number | null> {
  // A WAV header's size is checked as structure; Ogg says its length only at the end, which decoding reaches anyway.
  if (name === 'wav' || name === 'ogg' || name === 'opus') return null;
  if (name === 'flac') return flacSeconds(bytes);
  try {
    const { format } = await parseBuffer(
      bytes,
      { mimeType: contentType, size: bytes.length },
      { duration: false, skipCovers: true },
    );
    // Without a frame count an MP3's duration is guessed from the bit rate of the first frame.
    if (name === 'mp3' && !hasFrameCount(bytes)) return null;
    return format.duration !== undefined && Number.isFinite(format.duration) ? format.duration : null;
  } catch {
    return null;
  }
}

/** From STREAMINFO, which comes first (RFC 9639 §8.2); null where the encoder did not know. */
function flacSeconds(bytes: Uint8Array): number | null {
  const start = id3Length(bytes) + 8;
  if (start + 18 > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const packed = view.getBigUint64(start + 10);
  const sampleRate = Number(packed >> 44n);
  const samples = Number(packed & 0xf_ffff_ffffn);
  return sampleRate === 0 || samples === 0 ? null : samples / sampleRate;
}

/** Of an ID3v2 tag at the beginning: its size is four times seven bits (ID3v2.4 §3.1). */
function id3Length(bytes: Uint8Array): number {
  if (bytes[0] !== 0x49 || bytes[1] !== 0x44 || bytes[2] !== 0x33) return 0;
  return bytes.subarray(6, 10).reduce((size, byte) => size * 128 + (byte & 127), 0) + 10;
}

/** Whether the first frame of an MP3 file is a Xing, LAME ("Info") or VBRI header, behind the ID3v2 tag where there is one. */
function hasFrameCount(bytes: Uint8Array): boolean {
  const first = id3Length(bytes);
  return /Xing|Info|VBRI/.test(String.fromCharCode(...bytes.subarray(first, first + 200)));
}

function isCut(bytes: Uint8Array, { name }: Container): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (name) {
    case 'wav':
      return wavIsCut(view);
    case 'm4a':
      return mp4IsCut(view);
    case 'ogg':
    case 'opus':
      return oggIsCut(view);
    case 'webm':
      return webmIsCut(view);
    case 'flac':
    case 'mp3':
      return false;
    default:
      return name satisfies never;
  }
}

/** The data chunk announces more bytes than there are (0 and 0xFFFFFFFF are what streams write). */
function wavIsCut(view: DataView): boolean {
  for (let at = 12; at + 8 <= view.byteLength;) {
    const size = view.getUint32(at + 4, true);
    if (view.getUint32(at) === 0x64617461) return size !== 0xffff_ffff && at + 8 + size > view.byteLength;
    at += 8 + size + (size % 2);
  }
  return true;
}

/** A top-level box ends beyond the file, or there is no `moov` (ISO/IEC 14496-12 §4.2). */
function mp4IsCut(view: DataView): boolean {
  let movie = false;
  for (let at = 0; at + 8 <= view.byteLength;) {
    const type = view.getUint32(at + 4);
    let size = view.getUint32(at);
    if (type === 0x6d6f6f76) movie = true;
    if (size === 0) break;
    if (size === 1) size = at + 16 <= view.byteLength ? Number(view.getBigUint64(at + 8)) : Infinity;
    if (size < 8) break;
    at += size;
    if (at > view.byteLength) return true;
  }
  return !movie;
}

/** The last page is incomplete or does not end its stream (RFC 3533 §6). */
function oggIsCut(view: DataView): boolean {
  let last = 0;
  let at = 0;
  while (at + 27 <= view.byteLength && view.getUint32(at) === 0x4f676753) {
    const segments = view.getUint8(at + 26);
    if (at + 27 + segments > view.byteLength) return true;
    let size = 27 + segments;
    for (let i = 0; i < segments; i++) size += view.getUint8(at + 27 + i);
    if (at + size > view.byteLength) return true;
    last = view.getUint8(at + 5);
    at += size;
  }
  const endOfStream = 4;
  return (last & endOfStream) === 0;
}

/** The segment has a known size and ends beyond the file (RFC 8794 §6). */
function webmIsCut(view: DataView): boolean {
  let at = 0;
  for (let element = 0; element < 2; element++) {
    const id = vint(view, at, false);
    const size = id && vint(view, at + id.length, true);
    if (!id || !size) return true;
    const end = at + id.length + size.length + size.value;
    const unknown = size.value === 2 ** (7 * size.length) - 1;
    if (element === 1) return !unknown && end > view.byteLength;
    at = end;
  }
  return false;
}

function vint(view: DataView, at: number, strip: boolean): { value: number; length: number } | null {
  if (at >= view.byteLength) return null;
  const first = view.getUint8(at);
  const length = Math.clz32(first) - 23;
  if (length > 8 || at + length > view.byteLength) return null;
  let value = strip ? first & (0xff >> length) : first;
  for (let i = 1; i < length; i++) value = value * 256 + view.getUint8(at + i);
  return { value, length };
}
