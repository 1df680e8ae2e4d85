import type { RequestContext } from '@timbre/platform/subgraph-server';
import DataLoader from 'dataloader';
import { createLoaders, type Loaders } from './loaders.ts';
import { readLastSequences } from './repos/generations.ts';
import type { Deps } from './services/deps.ts';

export interface Context extends RequestContext {
  /** Null for the anonymous caller. */
  viewerId: string | null;
  deps: Deps;
  loaders: Loaders;
  /** Without a cache: for all who follow generations, who mostly look at the same moments. */
  lastSequences: DataLoader<string, number | null>;
}

export function createContextFactory(deps: Deps): (base: RequestContext) => Context {
  const lastSequences = new DataLoader((ids: readonly string[]) => readLastSequences(deps.db, ids), { cache: false });
  return (base) => {
    const viewerId = base.identity.userId;
    const loaders = createLoaders(deps.db, viewerId);
    const own: Deps = {
      ...deps,
      get log() {
        return base.log;
      },
    };
    return Object.assign(base, { viewerId, deps: own, loaders, lastSequences });
  };
}
