import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import type { ObjectHead } from './object-store.ts';

/*
 * The form of an object on disk: its bytes, then its description as JSON, the description's length
 * (uint32, big-endian) and a magic number. Being one file, an object appears, moves and disappears
 * by one rename or unlink, and its description with it.
 */

const MAGIC = Buffer.from('TIMBRE01', 'latin1');
const FOOTER_BYTES = 4 + MAGIC.length;
const MAX_DESCRIPTION_BYTES = 2_048;

const descriptionSchema = z.object({ sha256: z.string(), contentType: z.string() });

export type ObjectDescription = Required<ObjectHead>;

export function encodeTrailer(description: { sha256: string; contentType: string }): Buffer {
  const json = Buffer.from(JSON.stringify(description), 'utf8');
  if (json.length > MAX_DESCRIPTION_BYTES) throw new RangeError('The content type of an object is too long.');
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.writeUInt32BE(json.length, 0);
  MAGIC.copy(footer, 4);
  return Buffer.concat([json, footer]);
}

/** @returns null when the file does not exist. */
export async function openObject(path: string): Promise<{ handle: FileHandle; description: ObjectDescription } | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    return { handle, description: await readDescription(handle, path) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readDescription(handle: FileHandle, path: string): Promise<ObjectDescription> {
  const { size } = await handle.stat();
  const tail = Buffer.alloc(Math.min(size, MAX_DESCRIPTION_BYTES + FOOTER_BYTES));
  await handle.read(tail, 0, tail.length, size - tail.length);
  const footer = tail.length - FOOTER_BYTES;
  if (footer < 0 || !tail.subarray(footer + 4).equals(MAGIC)) throw new Error(`Not an object of this store: ${path}`);
  const length = tail.readUInt32BE(footer);
  const json: unknown = JSON.parse(tail.toString('utf8', footer - length, footer));
  return { ...descriptionSchema.parse(json), sizeBytes: size - FOOTER_BYTES - length };
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
