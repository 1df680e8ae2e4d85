import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Logger } from '@timbre/platform/logger';
import type { Authenticate } from '../../auth/authenticator.ts';
import type { Engine } from '../../engine.ts';
import type { Admission } from '../../limits/admission.ts';
import type { RouterMetrics } from '../../metrics.ts';
import type { Departure } from '../../subgraphs/subgraph-transport.ts';
import type { AccessLog } from '../access-log.ts';
import type { AddressOf } from '../caller-address.ts';
import type { OperationEnd } from '../operation-end.ts';
import type { CorsOptions } from './cors.ts';
import type { Accepted } from './media-types.ts';
import type { BatchingOptions } from './read-request.ts';
import type { Send } from './send.ts';

export interface HttpHandlerOptions {
  engine: Engine;
  authenticate: Authenticate;
  admission: Admission;
  log: Logger;
  metrics: RouterMetrics;
  /** For requests that become no operation; those that do are told to `metrics`. */
  accessLog: AccessLog | null;
  maxBodyBytes: number;
  addressOf: AddressOf;
  /** Requests of clients that do not say their name and version are refused. */
  requireClient: boolean;
  batching: BatchingOptions | null;
  /** Of large JSON answers. */
  compression: boolean;
  /** Headers of which a request has one where a foreign page could have sent it; null: such requests are taken. */
  csrfHeaders: readonly string[] | null;
  cors: CorsOptions | null;
  /** Clients come by https only. */
  https: boolean;
  /** Answers a browser that opens the endpoint; null shows nothing. */
  landingPage: ((req: IncomingMessage) => string) | null;
  /** Between heartbeats of a stream. */
  keepAliveMs: number;
  /** How long the client of a stream may take nothing before it is cut. */
  slowMs: number;
  /** Takes what ends each open subscription, with an error; all else ends by itself. */
  subscriptions: Set<() => void>;
}

/** A request and its answer. */
export interface Exchange {
  options: HttpHandlerOptions;
  req: IncomingMessage;
  res: ServerResponse;
  search: URLSearchParams;
  requestId: string;
  /** Of every response. */
  head: OutgoingHttpHeaders;
  accepted: Accepted;
  send: Send;
  /** What became of it has been told. */
  isObserved: boolean;
}

/** Whether the client has left before its answer was written. Asked for now and then, it needs no listener. */
export class ClientDeparture implements Departure {
  readonly #res: ServerResponse;

  constructor(res: ServerResponse) {
    this.#res = res;
  }

  get aborted(): boolean {
    return this.#res.closed && !this.#res.writableFinished;
  }
}

/** Tells what became of an operation. */
export function observe(end: OperationEnd, exchange: Exchange): void {
  const { metrics, log } = exchange.options;
  exchange.isObserved = true;
  const seconds = metrics.operations.ended(end);
  const { operation, name } = end.prepared?.operation ?? {};
  log.debug({ requestId: end.session.requestId, operation, name: name?.value, seconds }, 'answered');
}
