import { isData, isList } from '../execution/data.ts';

const OBJECT_BYTES = 56;
const SLOT_BYTES = 8;
const STRING_BYTES = 16;

/** About what something that was parsed takes in memory. */
export function bytesOf(value: unknown): number {
  if (typeof value === 'string') return SLOT_BYTES + STRING_BYTES + value.length;
  let bytes = SLOT_BYTES;
  if (isList(value)) {
    bytes += OBJECT_BYTES;
    for (const item of value) bytes += bytesOf(item);
  } else if (isData(value)) {
    bytes += OBJECT_BYTES;
    for (const key in value) bytes += bytesOf(value[key]);
  }
  return bytes;
}
