import type { VoiceResolvers } from '../generated/types.ts';
import { limitGeneration } from '../services/caching.ts';
import { pageArguments, toPage } from '../services/list-generations.ts';

export const Voice: VoiceResolvers = {
  __resolveReference: (voice) => ({ ...voice }),
  // The voices subgraph gave the status, which it does for those voices only that this viewer may speak with.
  usable: ({ status }, _, { deps }) => status === 'READY' && deps.models().length > 0,
  /** The viewer's own, whoever owns the voice. */
  async generations({ id: voiceId }, args, { loaders, viewerId, caching }) {
    if (viewerId === null) return null;
    const { size, afterId } = pageArguments(args);
    const rows = await loaders.voiceGenerations.load({ voiceId, limit: size + 1, afterId });
    for (const row of rows) limitGeneration(caching, row);
    return toPage(rows, size, args.after);
  },
};
