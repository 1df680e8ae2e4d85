import { splitText, type TextChunk } from '@timbre/speech/splitting/split-text';

/** Short, so that the first sound comes early. */
const FIRST_CHUNK_CHARACTERS = 120;
/** About 20 s of speech: 5,000 characters make some 20 chunks, and no chunk keeps the engine from others for long. */
const CHUNK_CHARACTERS = 300;

/** How a text is cut for speaking. The worker cuts again, to know what ends each chunk: same text, same chunks. */
export function planChunks(text: string): TextChunk[] {
  return splitText(text, { maxChars: CHUNK_CHARACTERS, firstMaxChars: FIRST_CHUNK_CHARACTERS });
}
