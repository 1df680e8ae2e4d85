import { AsyncLocalStorage } from 'node:async_hooks';
import type { MaskOptions } from '../graphql-errors.ts';
import type { Identity } from '../identity.ts';
import type { Logger } from '../logger.ts';
import type { CachingLimit } from './caching-limit.ts';

/** What every resolver's context is made from. */
export interface RequestContext {
  identity: Identity;
  requestId: string;
  /** Bears the request id. Made when it is first looked at: add to a context by `Object.assign`, as a spread looks. */
  log: Logger;
  /** Aborts when nobody waits any longer: the client went away, or the subscription ended. Pass it to `hints`. */
  signal: AbortSignal;
  /** Where resolvers say that the answer may be kept for less than `@cacheControl` allows. */
  caching: CachingLimit;
}

/** Apollo Server formats errors without saying whose they are. */
export const requestScope = new AsyncLocalStorage<MaskOptions>();
