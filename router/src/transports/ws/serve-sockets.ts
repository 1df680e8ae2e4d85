import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { REQUEST_ID_HEADER } from '@timbre/platform/identity';
import type { Logger } from '@timbre/platform/logger';
import { requestIdFrom } from '@timbre/platform/request-id';
import { WebSocket, WebSocketServer } from 'ws';
import type { RawData } from 'ws';
import { headersWithCredentials } from '../../auth/presented-credential.ts';
import type { AddressOf } from '../caller-address.ts';
import { CLOSE_CODES, Connection } from './connection.ts';
import type { ConnectionHandler, ConnectionSocket } from './connection.ts';

export interface SocketServerOptions {
  maxMessageBytes: number;
  /** Between pings of the websocket protocol; a client that has not answered by the next is cut. */
  keepAliveMs: number;
  /** A client with more bytes than this waiting for it is not read from; for longer than `ms`, it is closed with 1013. */
  slowClient: { bytes: number; ms: number };
  log: Logger;
  addressOf: AddressOf;
  /** Whether there is room for another socket from this address; it answers 429 where there is not. */
  hasRoom: (address: string | null) => boolean;
  /** Told of every socket, and once of its end. */
  onSockets: (change: 1 | -1, address: string | null) => void;
}

export interface SocketServer {
  upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  drain: () => Promise<void>;
}

const TOO_MANY_SOCKETS =
  'HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 10\r\ncontent-length: 0\r\n\r\n';
const SUBPROTOCOL = 'graphql-transport-ws';
const CLOSE_DEADLINE_MS = 5_000;
/** Each socket is looked at once in this time, a slice of them at once. */
const SWEEP_MS = 1_000;
const SLICES = 10;
/** Below this an operation need not wait for the kernel to take its message. */
const EASY_BYTES = 64 * 1024;
/** A close frame has 125 bytes, two of which are the code. */
const MAX_REASON_BYTES = 123;

/** What the sweep must know of a socket is on the socket: timers of its own would cost each more than its protocol state. */
class ClientSocket extends WebSocket implements ConnectionSocket {
  connection: Connection | null = null;
  address: string | null = null;
  slowBytes = Infinity;
  slowSince: number | null = null;
  closingSince: number | null = null;
  answered = true;
  /** The sweep that pings it. */
  turn = 0;

  isOpen(): boolean {
    return this.readyState === this.OPEN;
  }

  /** The sweep cuts a client that does not close in its turn. */
  tell(code: number, reason: string): void {
    if (!this.isOpen()) return;
    this.closingSince = performance.now();
    // A client that is not read from could not answer.
    this.resume();
    this.close(code, shorten(reason));
  }

  /** Resolves when the kernel has it, where a lot waits already. */
  write(text: string): Promise<void> | undefined {
    if (!this.isOpen()) return undefined;
    if (this.bufferedAmount < EASY_BYTES) {
      this.send(text);
      return undefined;
    }
    if (this.bufferedAmount > this.slowBytes) this.pause();
    return new Promise((resolve) => {
      // What cannot be sent any more has nobody to read it; the close event ends its operation.
      this.send(text, () => {
        if (this.isPaused && this.bufferedAmount <= this.slowBytes) this.resume();
        resolve();
      });
    });
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  if (!(this instanceof ClientSocket)) return;
  if (isBinary || !Buffer.isBuffer(data)) this.connection?.close(CLOSE_CODES.badRequest, 'Messages are text');
  else this.connection?.receive(data.toString('utf8'));
}

function onPong(this: WebSocket): void {
  if (this instanceof ClientSocket) this.answered = true;
}

/** Websockets of graphql-transport-ws at whatever path they are mounted. */
export function serveSockets(handler: ConnectionHandler, options: SocketServerOptions): SocketServer {
  const { maxMessageBytes, keepAliveMs, slowClient, log, addressOf, hasRoom, onSockets } = options;
  const wss = new WebSocketServer<typeof ClientSocket>({
    noServer: true,
    WebSocket: ClientSocket,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    handleProtocols: (protocols) => (protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });

  const sweepMs = Math.min(SWEEP_MS, keepAliveMs, slowClient.ms);
  const turns = SLICES * Math.max(1, Math.round(keepAliveMs / sweepMs));
  const slices = Array.from({ length: SLICES }, () => new Set<ClientSocket>());
  let turn = 0;
  let next = 0;

  /** Looks after a slice of the sockets and pings a part of it: all at once would hold up everybody's events. */
  function sweep(): void {
    turn = (turn + 1) % turns;
    const now = performance.now();
    for (const socket of slices[turn % SLICES] ?? []) {
      if (socket.closingSince !== null) {
        if (now - socket.closingSince > CLOSE_DEADLINE_MS) socket.terminate();
      } else if (isSlow(socket, now)) {
        socket.connection?.close(CLOSE_CODES.tryAgainLater, 'The client reads too slowly');
      } else if (socket.turn === turn) {
        if (socket.answered) socket.ping();
        else socket.terminate();
        socket.answered = false;
      }
    }
  }

  function isSlow(socket: ClientSocket, now: number): boolean {
    if (socket.bufferedAmount <= slowClient.bytes) socket.slowSince = null;
    else socket.slowSince ??= now;
    return socket.slowSince !== null && now - socket.slowSince > slowClient.ms;
  }

  function onError(this: WebSocket, error: Error): void {
    log.debug({ err: error }, 'a websocket failed');
    // ws has said goodbye with the code that fits; the other side need not answer.
    if (!(this instanceof ClientSocket)) return;
    this.closingSince ??= performance.now();
    this.connection?.ended();
  }
  function onClose(this: WebSocket): void {
    if (!(this instanceof ClientSocket)) return;
    onSockets(-1, this.address);
    slices[this.turn % SLICES]?.delete(this);
    this.connection?.ended();
  }

  function accept(socket: ClientSocket, req: IncomingMessage): void {
    socket.address = addressOf(req);
    onSockets(1, socket.address);
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.turn = next;
    next = (next + 1) % turns;
    slices[socket.turn % SLICES]?.add(socket);
    if (socket.protocol !== SUBPROTOCOL) {
      socket.tell(CLOSE_CODES.subprotocolNotAcceptable, 'Subprotocol not acceptable');
      return;
    }
    socket.slowBytes = slowClient.bytes;
    socket.connection = new Connection(socket, handler, {
      headers: headersToKeep(headersWithCredentials(req)),
      isSameOrigin: isSameOrigin(req.headers),
      address: socket.address,
      requestId: requestIdFrom(req.headers[REQUEST_ID_HEADER]),
    });
    socket.on('message', onMessage);
    socket.on('pong', onPong);
  }

  const sweeping = setInterval(sweep, sweepMs / SLICES).unref();

  return {
    upgrade(req, socket, head) {
      socket.on('error', () => socket.destroy());
      if (!hasRoom(addressOf(req))) {
        socket.end(TOO_MANY_SOCKETS);
        return;
      }
      wss.handleUpgrade(req, socket, head, accept);
    },
    async drain() {
      const closed = new Promise<void>((resolve) => {
        wss.close(() => resolve());
      });
      for (const client of wss.clients) {
        if (client.connection === null) client.tell(CLOSE_CODES.goingAway, 'Going away');
        else client.connection.close(CLOSE_CODES.goingAway, 'Going away');
      }
      const cut = setTimeout(() => {
        for (const client of wss.clients) client.terminate();
      }, CLOSE_DEADLINE_MS);
      await closed;
      clearTimeout(cut);
      clearInterval(sweeping);
    },
  };
}

function isSameOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  return origin !== undefined && URL.parse(origin)?.host === host;
}

/** Without those of the handshake itself, which nobody asks for later. */
function headersToKeep(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !name.startsWith('sec-websocket-') && name !== 'host'),
  );
}

function shorten(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  // A character that is cut in two would not be UTF-8.
  return bytes.subarray(0, MAX_REASON_BYTES).toString().replace(/�+$/, '');
}
