import { ANONYMOUS_PRINCIPAL } from '../auth/principal.ts';
import type { Session } from '../engine.ts';

/** A request over HTTP of nobody in particular. */
export const ANONYMOUS_SESSION: Session = Object.freeze({
  principal: ANONYMOUS_PRINCIPAL,
  requestId: 'a request',
  transport: 'http',
  address: null,
  client: { name: null, version: null },
});
