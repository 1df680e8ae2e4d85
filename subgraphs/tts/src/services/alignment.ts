import { pageSize } from '@timbre/platform/cursor';
import type { Loaders } from '../loaders.ts';
import type { GenerationRow, TokenRow } from '../rows.ts';
import { atLeast } from './bounds.ts';
import { type AlignmentUnit, tokensOf } from './tokens.ts';

/** Most tokens of one page. */
const MAX_TOKENS = 5_000;

export interface AlignmentRequest {
  unit: AlignmentUnit;
  fromChar: number;
  first: number;
}

/**
 * Tokens from `fromChar` on (one that reaches over it included), as far as the sound is there; the next page begins at
 * the last token's `charEnd`.
 * @throws AppError BAD_USER_INPUT for a negative `fromChar` and a `first` out of bounds.
 */
export async function alignment(
  loaders: Loaders,
  generation: GenerationRow,
  { unit, fromChar, first }: AlignmentRequest,
): Promise<TokenRow[]> {
  const wanted = pageSize(first, { max: MAX_TOKENS });
  let from = atLeast('fromChar', 0, fromChar);
  const { id, renderingId, rendering } = generation;
  const text = await loaders.text.load(id);
  if (text === null || rendering.sampleRate === null) return [];
  const tokens: TokenRow[] = [];
  while (tokens.length < wanted) {
    const chunks = await loaders.placedChunks.load({ renderingId, fromChar: from });
    const last = chunks.at(-1);
    if (!last) break;
    for (const chunk of chunks) {
      const all = tokensOf(text, { ...chunk, sampleRate: rendering.sampleRate }, unit);
      tokens.push(...all.filter((token) => token.charEnd > fromChar));
    }
    from = last.charEnd;
  }
  return tokens.slice(0, wanted);
}
