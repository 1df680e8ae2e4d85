/** Long enough that two such sentences do not fit into one chunk. */
const FILLER =
  'goes on for a while, as sentences in a book like to do, past the houses and the harbour, along the quiet road to ' +
  'the hill, where somebody stands and waits for the evening and for';

/** A text of so many sentences, each a chunk; all texts about different things are different in every chunk. */
export function sentences(count: number, about = 'a ferry'): string {
  return Array.from({ length: count }, (_, i) =>
    i === 0
      ? `Sentence number 0 is short, and tells about ${about}.`
      : `Sentence number ${String(i)} ${FILLER} ${about}.`,
  ).join(' ');
}
