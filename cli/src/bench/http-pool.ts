import { connect, type Socket } from 'node:net';

/**
 * Called once: with null for a whole answer with status 200 and no errors in it, else with what was wrong. The body is good for the
 * time of the call.
 */
type Done = (failure: string | null, body: Buffer) => void;

interface Waiting {
  request: string;
  done: Done;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const ERRORS = Buffer.from('"errors":[{');
const NOTHING = Buffer.alloc(0);
const KEPT_TEXT = 300;
/** As long as browsers and other pools do, or less: before the server closes it, perhaps just as it is used again. */
const IDLE_MS = 30_000;
/** Node reads into it and hands it over before it reads again, whichever socket it is: one serves all. */
const shared = Buffer.allocUnsafe(256 * 1024);

/**
 * HTTP/1.1 over kept connections with one request at a time on each, the last used first. A client library costs several times as
 * much CPU, which the measured system would lack.
 */
export class HttpPool {
  readonly #host: string;
  readonly #port: number;
  readonly #start: string;
  readonly #most: number;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #waiting: Waiting[] = [];

  constructor(url: string, most: number) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#start = `POST /graphql HTTP/1.1\r\nhost: ${hostname}:${port}\r\n`;
    this.#most = most;
  }

  get connections(): number {
    return this.#all.size;
  }

  /** @param rest the headers but the host's, and the body; ASCII */
  post(rest: string, done: Done): void {
    const waiting = { request: this.#start + rest, done };
    const connection = this.#takeIdle() ?? (this.#all.size < this.#most ? this.#open() : null);
    if (connection === null) this.#waiting.push(waiting);
    else connection.send(waiting);
  }

  /** Closes all connections; what they have not answered fails. */
  reset(): void {
    this.#idle.length = 0;
    for (const { done } of this.#waiting.splice(0)) done('it was never sent', NOTHING);
    for (const connection of this.#all) connection.close();
  }

  #takeIdle(): Connection | null {
    const last = this.#idle.pop();
    if (last === undefined) return null;
    if (performance.now() - last.idleSince < IDLE_MS) return last;
    // The others have been idle for longer.
    for (const each of [last, ...this.#idle.splice(0)]) each.close();
    return null;
  }

  #open(): Connection {
    const connection = new Connection(this.#host, this.#port, {
      free: () => {
        const next = this.#waiting.shift();
        if (next) {
          connection.send(next);
          return;
        }
        connection.idleSince = performance.now();
        this.#idle.push(connection);
      },
      gone: () => {
        this.#all.delete(connection);
        const index = this.#idle.indexOf(connection);
        if (index !== -1) this.#idle.splice(index, 1);
        const next = this.#waiting.shift();
        if (next) this.#open().send(next);
      },
    });
    this.#all.add(connection);
    return connection;
  }
}

interface Owner {
  free: () => void;
  gone: () => void;
}

class Connection {
  /** By `performance.now()`. */
  idleSince = 0;
  readonly #socket: Socket;
  readonly #owner: Owner;
  #done: Done | null = null;
  /** What came of an answer that is not whole yet. */
  #parts: Buffer | null = null;

  constructor(host: string, port: number, owner: Owner) {
    this.#owner = owner;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: { buffer: shared, callback: (size, buffer) => this.#read(Buffer.from(buffer.buffer, 0, size)) },
    });
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.on('close', () => {
      this.#fail('the connection was closed');
      owner.gone();
    });
  }

  send({ request, done }: Waiting): void {
    this.#done = done;
    this.#socket.write(request, 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): boolean {
    const answer = this.#parts === null ? bytes : Buffer.concat([this.#parts, bytes]);
    const headEnd = answer.indexOf(HEAD_END);
    const head = headEnd === -1 ? '' : answer.toString('latin1', 0, headEnd);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (head !== '' && length === undefined) {
      this.#fail(`an answer without a length: ${head.slice(0, KEPT_TEXT)}`);
      this.close();
      return false;
    }
    if (headEnd === -1 || answer.length < headEnd + HEAD_END.length + Number(length)) {
      // The buffer is read into again.
      this.#parts = this.#parts === null ? Buffer.from(answer) : answer;
      return true;
    }
    this.#parts = null;
    const isRight = head.startsWith('HTTP/1.1 200 ') && !answer.includes(ERRORS);
    const done = this.#done;
    this.#done = null;
    const body = answer.subarray(headEnd + HEAD_END.length);
    done?.(isRight ? null : `${head.slice(9, 12)} ${body.toString('utf8', 0, KEPT_TEXT)}`, body);
    if (/\r\nconnection: close/i.test(head)) this.close();
    else this.#owner.free();
    return true;
  }

  #fail(reason: string): void {
    const done = this.#done;
    this.#done = null;
    done?.(reason, NOTHING);
  }
}
