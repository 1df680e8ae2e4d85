import type { SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import type { Standpoint } from './timeline.ts';

/** How one operation of one caller sees the cache. */
export interface CacheView {
  /** Under what the caller's private answers are kept; null where they cannot be. */
  readonly owner: string | null;
  /** What else the subgraphs are sent of the client's request, on which answers may depend. */
  readonly headers: string;
  /** The same during an operation; null where nothing may be taken from the cache or put into it. */
  standpoint(): Standpoint | null | Promise<Standpoint | null>;
  /** Asks the subgraph. `isDetached`: also when the client has left. @throws SubgraphFailure */
  call(request: SubgraphRequest, isDetached?: boolean): Promise<SubgraphResponse>;
  note(fetched: Fetched): void;
}

/** What the operation got from one fetch. */
export interface Fetched {
  subgraph: string;
  kind: 'root' | 'entities';
  status: CacheStatus;
  /** Null where something of it is not to be kept. */
  kept: Kept | null;
  /** Of what came from the cache; worked out anew. */
  tags: () => readonly string[];
}

/** `partial`: some entities were there. `bypass`: the cache could not be asked. */
export type CacheStatus = 'hit' | 'stale' | 'partial' | 'miss' | 'bypass';

/** Times in unix milliseconds. */
export interface Kept {
  isPublic: boolean;
  madeAt: number;
  freshUntil: number;
}
