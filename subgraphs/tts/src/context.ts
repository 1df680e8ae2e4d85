import type { RequestContext } from '@timbre/platform/subgraph-server';
import { createLoaders, type Loaders } from './loaders.ts';
import type { Deps } from './services/deps.ts';

export interface Context extends RequestContext {
  /** Null for the anonymous caller. */
  viewerId: string | null;
  deps: Deps;
  loaders: Loaders;
}

export function createContextFactory(deps: Deps): (base: RequestContext) => Context {
  return (base) => {
    const viewerId = base.identity.userId;
    return { ...base, viewerId, deps: { ...deps, log: base.log }, loaders: createLoaders(deps.db, viewerId) };
  };
}
