/**
 * Where a sequence of changes was when a thing was last marked: as a whole, and those parts of it that were marked alone
 * since. Markers are not changed, but replaced.
 */
export interface Marker {
  readonly all: number;
  readonly parts: ReadonlyMap<string, number>;
}

const NO_PARTS: ReadonlyMap<string, number> = new Map();

/** Of what was never marked. */
export const UNMARKED: Marker = { all: 0, parts: NO_PARTS };

/** A marker after something was marked once more. No parts, or null, is the whole. */
export function markedAgain(marker: Marker, parts: readonly string[] | null, sequence: number): Marker {
  if (marker.all >= sequence) return marker;
  if (parts === null || parts.length === 0) {
    const later = [...marker.parts].filter(([, marked]) => marked > sequence);
    return { all: sequence, parts: later.length === 0 ? NO_PARTS : new Map(later) };
  }
  const marked = new Map(marker.parts);
  for (const part of parts) marked.set(part, Math.max(marked.get(part) ?? 0, sequence));
  return { all: marker.all, parts: marked };
}

/** What `VersionedStore.mark` has written: `12`, or `12 part=15 another=13`. What is not understood is newer than anything. */
export function readMarker(text: string | null): Marker {
  if (text === null) return UNMARKED;
  const [all = '', ...parts] = text.split(' ');
  if (parts.length === 0) return { all: sequenceIn(all), parts: NO_PARTS };
  const marked = parts.map((part): [string, number] => {
    const end = part.lastIndexOf('=');
    return [part.slice(0, end), sequenceIn(part.slice(end + 1))];
  });
  return { all: sequenceIn(all), parts: new Map(marked) };
}

const sequenceIn = (text: string) => (/^\d+$/.test(text) ? Number(text) : Infinity);
