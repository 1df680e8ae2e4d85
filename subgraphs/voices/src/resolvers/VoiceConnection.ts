import type { VoiceConnectionResolvers } from '../generated/types.ts';

export const VoiceConnection: VoiceConnectionResolvers = {
  // Counted only when asked for, and when the page does not tell: it looks at every row where a page looks at a few.
  totalCount: (page, _, { voices }) => voices.count(page),
};
