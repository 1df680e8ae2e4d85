import { errors } from 'undici';
import type { Dispatcher } from 'undici';

export interface ExchangeOwner {
  answered(status: number, headers: ResponseHeaders, body: Buffer): void;
  failed(error: Error): void;
}

export type ResponseHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

const EMPTY = Buffer.alloc(0);

/**
 * One request and its answer, gathered in memory. It takes undici's events directly: its `request` makes a
 * stream, a promise and several closures for each answer, a quarter of the CPU time of a small call.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #owner: ExchangeOwner;
  readonly #maxBytes: number;
  #controller: Dispatcher.DispatchController | null = null;
  #aborted: Error | null = null;
  #status = 0;
  #headers: ResponseHeaders = {};
  #first: Buffer = EMPTY;
  #parts: Buffer[] | null = null;
  #size = 0;

  constructor(owner: ExchangeOwner, maxBytes: number) {
    this.#owner = owner;
    this.#maxBytes = maxBytes;
  }

  /** Grows with everything that comes. */
  get heard(): number {
    return this.#status + this.#size;
  }

  /** Also before it has got a connection. */
  abort(error: Error): void {
    this.#aborted = error;
    this.#controller?.abort(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted !== null) controller.abort(this.#aborted);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    // Interim responses come here too; the last is the one that counts.
    this.#status = status;
    this.#headers = headers;
    if (Number(headers['content-length']) > this.#maxBytes) controller.abort(new errors.ResponseExceededMaxSizeError());
  }

  onResponseData(controller: Dispatcher.DispatchController, part: Buffer): void {
    this.#size += part.length;
    if (this.#size > this.#maxBytes) controller.abort(new errors.ResponseExceededMaxSizeError());
    else if (this.#first === EMPTY) this.#first = part;
    else if (this.#parts === null) this.#parts = [this.#first, part];
    else this.#parts.push(part);
  }

  onResponseEnd(): void {
    const body = this.#parts === null ? this.#first : Buffer.concat(this.#parts, this.#size);
    this.#owner.answered(this.#status, this.#headers, body);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#owner.failed(error);
  }
}
