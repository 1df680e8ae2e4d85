import { isData, isList, setOwn } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';

export interface KeptData {
  data: unknown;
  /** About what it takes in memory. */
  bytes: number;
}

const OBJECT_BYTES = 56;
const SLOT_BYTES = 8;
const STRING_BYTES = 16;

/** A copy to be kept, as whoever got the data adds to it, and its size. */
export function keepData(source: unknown): KeptData {
  let bytes = 0;
  const copy = (value: unknown): unknown => {
    bytes += SLOT_BYTES;
    if (typeof value === 'string') {
      bytes += STRING_BYTES + value.length;
      return value;
    }
    if (isList(value)) {
      bytes += OBJECT_BYTES;
      return value.map(copy);
    }
    if (!isData(value)) return value;
    bytes += OBJECT_BYTES;
    const kept: Data = {};
    for (const key in value) setOwn(kept, key, copy(value[key]));
    return kept;
  };
  const data = copy(source);
  return { data, bytes };
}
