import type { GenerationChunkResolvers } from '../generated/types.ts';
import { toMs } from '../services/tokens.ts';

export const GenerationChunk: GenerationChunkResolvers = {
  startMs: ({ startSample, sampleRate }) =>
    startSample === null || sampleRate === null ? null : toMs(startSample, sampleRate),
  endMs: ({ startSample, sampleCount, sampleRate }) =>
    startSample === null || sampleCount === null || sampleRate === null
      ? null
      : toMs(startSample + sampleCount, sampleRate),
};
