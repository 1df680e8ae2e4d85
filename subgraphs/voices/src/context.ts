import type { Db } from '@timbre/db/client';
import type { RequestContext } from '@timbre/platform/subgraph-server';
import { createLoaders, type Loaders } from './loaders.ts';
import type { VoiceServices } from './services/voice-services.ts';

export interface Context extends RequestContext {
  /** Null for the anonymous caller. */
  viewerId: string | null;
  voices: VoiceServices;
  loaders: Loaders;
}

export function createContextFactory(db: Db, voices: VoiceServices): (base: RequestContext) => Context {
  return (base) => {
    const viewerId = base.identity.userId;
    return Object.assign(base, { viewerId, voices, loaders: createLoaders(db, viewerId) });
  };
}
