import type { IncomingHttpHeaders } from 'node:http';
import { GraphQLError } from 'graphql';
import type { Principal } from '../../auth/principal.ts';
import { onRevoked } from '../../auth/revocation.ts';
import type { OperationRequest } from '../../operations/prepare-operation.ts';
import { OperationRefused } from '../../operations/refusal.ts';
import type { ClientIdentity } from '../client-identity.ts';
import type { Result, ResultStream } from '../results.ts';
import { parseClientMessage } from './client-message.ts';
import type { ClientMessage } from './client-message.ts';

/** By the protocol, or where it leaves the choice (`tryAgainLater`) from the registry of RFC 6455. */
export const CLOSE_CODES = {
  goingAway: 1001,
  tryAgainLater: 1013,
  badRequest: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  subprotocolNotAcceptable: 4406,
  initialisationTimeout: 4408,
  subscriberAlreadyExists: 4409,
  tooManyInitialisations: 4429,
  tooManyOperations: 4429,
} as const;

/** The websocket below a connection. */
export interface ConnectionSocket {
  isOpen(): boolean;
  /** Resolves when there is room for more: the backpressure of an operation. */
  write(text: string): Promise<void> | undefined;
  /** Closes it, saying why. */
  tell(code: number, reason: string): void;
}

/** What connections do with what the protocol brings. */
export interface ConnectionHandler {
  /** How long a client may take to send connection_init. */
  initTimeoutMs: number;
  /** @throws ConnectionRefused */
  connect(params: Readonly<Record<string, unknown>> | null, handshake: Handshake): Promise<Client>;
  /** Counts a client that is to be acknowledged. @throws ConnectionRefused where there are too many of the same */
  join(client: Client): void;
  /** Once for every client that has joined. */
  leave(client: Client): void;
  /** @throws OperationRefused */
  start(request: OperationRequest, client: Client, circumstances: Circumstances): Promise<ResultStream>;
  /** Logs what should not have happened. @returns what the client is told of it */
  onFailure(error: unknown): GraphQLError;
}

/** Of an operation on a connection. */
export interface Circumstances {
  /** How many operations the connection has, this one included. */
  running: number;
  /** Makes the signal that the client does not want the result any more. */
  gone: () => AbortSignal;
}

/** What is kept of the upgrade. Not the whole request: it would live as long as the connection. */
export interface Handshake {
  headers: IncomingHttpHeaders;
  /** Opened by a page of the origin that it goes to. */
  isSameOrigin: boolean;
  address: string | null;
  requestId: string;
}

/** Who has been acknowledged. */
export interface Client {
  principal: Principal;
  headers: IncomingHttpHeaders;
  address: string | null;
  identity: ClientIdentity;
}

/** A connection that is not acknowledged: 4403 with the message as the reason. */
export class ConnectionRefused extends Error {
  override name = 'ConnectionRefused';
}

/** So many operations in a row for which there is no room are no mistake. */
const FLOOD = 100;
const TOO_MANY_REQUESTS = 429;

class Operation {
  ended = false;
  results: ResultStream | null = null;
  /** Only those that can be aborted have one: it is larger than the rest. */
  #controller: AbortController | null = null;

  signal(): AbortSignal {
    if (this.ended) return AbortSignal.abort();
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  async end(): Promise<void> {
    this.ended = true;
    this.#controller?.abort();
    await this.results?.return?.();
  }
}

/**
 * One connection of graphql-transport-ws: the states and close codes of the protocol. A class, as there
 * are very many of them. Nothing is taken from a client any more once its socket has been told to close.
 */
export class Connection {
  readonly #socket: ConnectionSocket;
  readonly #handler: ConnectionHandler;
  /** Until the init. */
  #handshake: Handshake | null;
  #initTimer: NodeJS.Timeout | undefined;
  #client: Client | null = null;
  #callOffRevocation: (() => void) | null = null;
  readonly #operations = new Map<string, Operation>();
  /** Operations in a row that there was no room for. */
  #refused = 0;

  constructor(socket: ConnectionSocket, handler: ConnectionHandler, handshake: Handshake) {
    this.#socket = socket;
    this.#handler = handler;
    this.#handshake = handshake;
    this.#initTimer = setTimeout(
      () => this.close(CLOSE_CODES.initialisationTimeout, 'Connection initialisation timeout'),
      handler.initTimeoutMs,
    ).unref();
  }

  receive(text: string): void {
    if (!this.#socket.isOpen()) return;
    const message = parseClientMessage(text);
    if (typeof message === 'string') this.close(CLOSE_CODES.badRequest, message);
    else this.#handle(message);
  }

  /** Ends all operations, and tells the client why. */
  close(code: number, reason: string): void {
    this.#socket.tell(code, reason);
    this.ended();
  }

  /** The socket has gone. */
  ended(): void {
    clearTimeout(this.#initTimer);
    this.#callOffRevocation?.();
    this.#callOffRevocation = null;
    if (this.#client !== null) this.#handler.leave(this.#client);
    this.#client = null;
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const operation of operations) this.#end(operation);
  }

  #handle(message: ClientMessage): void {
    switch (message.type) {
      case 'connection_init': {
        const handshake = this.#handshake;
        if (handshake === null) {
          this.close(CLOSE_CODES.tooManyInitialisations, 'Too many initialisation requests');
          return;
        }
        this.#handshake = null;
        clearTimeout(this.#initTimer);
        this.#initTimer = undefined;
        void this.#connect(message.payload, handshake);
        return;
      }
      case 'ping':
        void this.#socket.write(JSON.stringify({ type: 'pong', payload: message.payload ?? undefined }));
        return;
      case 'pong':
        return;
      case 'subscribe':
        if (this.#client === null) this.close(CLOSE_CODES.unauthorized, 'Unauthorized');
        else if (this.#operations.has(message.id)) {
          this.close(CLOSE_CODES.subscriberAlreadyExists, `Subscriber for ${message.id} already exists`);
        } else void this.#start(message.id, message.payload, this.#client);
        return;
      case 'complete': {
        const operation = this.#operations.get(message.id);
        this.#operations.delete(message.id);
        if (operation !== undefined) this.#end(operation);
      }
    }
  }

  async #connect(params: Readonly<Record<string, unknown>> | null, handshake: Handshake): Promise<void> {
    try {
      const client = await this.#handler.connect(params, handshake);
      if (!this.#socket.isOpen()) return;
      this.#handler.join(client);
      this.#client = client;
      void this.#socket.write('{"type":"connection_ack"}');
      this.#callOffRevocation = onRevoked(client.principal, () => this.#revoke());
    } catch (error) {
      const reason = error instanceof ConnectionRefused ? error.message : this.#handler.onFailure(error).message;
      this.close(CLOSE_CODES.forbidden, reason);
    }
  }

  /** The session has ended: each operation is told, and the client is to come back with a new token. */
  #revoke(): void {
    for (const id of this.#operations.keys()) {
      void this.#socket.write(JSON.stringify({ id, type: 'error', payload: [sessionEnded()] }));
    }
    this.close(CLOSE_CODES.forbidden, 'The session has ended.');
  }

  #start(id: string, request: OperationRequest, client: Client): Promise<void> {
    const operation = new Operation();
    this.#operations.set(id, operation);
    const running = this.#operations.size;
    const starting = this.#handler.start(request, client, { running, gone: () => operation.signal() });
    return this.#run(id, operation, starting);
  }

  /** Without the request: what a client has sent with it would be here for as long as the operation runs. */
  async #run(id: string, operation: Operation, starting: Promise<ResultStream>): Promise<void> {
    try {
      const results = await starting;
      operation.results = results;
      this.#refused = 0;
      if (operation.ended) {
        await results.return?.();
        return;
      }
      for (;;) {
        const result = await results.next();
        if (operation.ended) return;
        if (result.done === true) break;
        await this.#socket.write(nextMessage(id, result.value));
        if (operation.ended) return;
      }
      // Before the message: when the client has it, the id is free.
      this.#operations.delete(id);
      void this.#socket.write(JSON.stringify({ id, type: 'complete' }));
    } catch (error) {
      if (operation.ended) return;
      this.#operations.delete(id);
      this.#refuse(id, error);
    }
  }

  #refuse(id: string, error: unknown): void {
    if (error instanceof OperationRefused && error.response.status === TOO_MANY_REQUESTS) {
      this.#refused += 1;
      if (this.#refused > FLOOD) {
        this.close(CLOSE_CODES.tooManyOperations, 'Too many operations');
        return;
      }
    }
    void this.#socket.write(JSON.stringify({ id, type: 'error', payload: this.#errorsOf(error) }));
  }

  #end(operation: Operation): void {
    operation.end().catch((error: unknown) => this.#handler.onFailure(error));
  }

  #errorsOf(error: unknown): readonly GraphQLError[] {
    if (error instanceof OperationRefused) return error.errors;
    return [error instanceof GraphQLError ? error : this.#handler.onFailure(error)];
  }
}

function sessionEnded(): GraphQLError {
  return new GraphQLError('The session has ended.', { extensions: { code: 'SUBSCRIPTION_AUTH_REVOKED' } });
}

function nextMessage(id: string, result: Result): string {
  return `{"id":${JSON.stringify(id)},"type":"next","payload":${JSON.stringify(result)}}`;
}
