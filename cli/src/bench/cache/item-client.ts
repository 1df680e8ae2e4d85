import { CommandError } from '../../run-command.ts';
import type { HttpPool } from '../http-pool.ts';
import { READ, WRITE } from './graph.ts';

const VERSION = /"version":(\d+)/;
const VERSION_OF_DETAILS = /"versionOfDetails":(\d+)/;
const ITEM = Buffer.from('"version":');
const KEPT_TEXT = 300;

/** Called with null, or with what was wrong. */
type Done = (failure: string | null) => void;

export interface ItemClient {
  /** @returns the older one of the versions that the two subgraphs told. @throws CommandError for anything but an item */
  read(pool: HttpPool, who: number, id: number): Promise<number>;
  /** @returns the new version */
  write(pool: HttpPool, who: number, id: number): Promise<number>;
  /** Reads or writes without looking at more of the answer than that it is an item: what a load can afford. */
  send(pool: HttpPool, kind: 'read' | 'write', who: number, id: number, done: Done): void;
}

/** Of people who each have a token. */
export function createItemClient(tokens: readonly string[]): ItemClient {
  const heads = tokens.map(
    (token) =>
      `authorization: Bearer ${token}\r\ncontent-type: application/json\r\naccept: application/json\r\ncontent-length: `,
  );
  const starts = { read: startOf(READ), write: startOf(WRITE) };
  const request = (kind: keyof typeof starts, who: number, id: number): string => {
    const body = `${starts[kind]}${id}"}}`;
    return `${heads[who]}${body.length}\r\n\r\n${body}`;
  };
  const ask = (pool: HttpPool, kind: keyof typeof starts, who: number, id: number) =>
    new Promise<string>((resolve, reject) => {
      pool.post(request(kind, who, id), (failure, answer) => {
        if (failure === null) resolve(answer.toString('latin1'));
        else reject(new CommandError(`A request failed: ${failure}`));
      });
    });
  return {
    async read(pool, who, id) {
      const answer = await ask(pool, 'read', who, id);
      return Math.min(numberIn(answer, VERSION), numberIn(answer, VERSION_OF_DETAILS));
    },
    write: async (pool, who, id) => numberIn(await ask(pool, 'write', who, id), VERSION),
    send(pool, kind, who, id, done) {
      pool.post(request(kind, who, id), (failure, answer) => {
        if (failure !== null || answer.includes(ITEM)) done(failure);
        else done(`no item: ${answer.toString('latin1', 0, KEPT_TEXT)}`);
      });
    },
  };
}

const startOf = (query: string): string => `${JSON.stringify({ query }).slice(0, -1)},"variables":{"id":"`;

function numberIn(answer: string, pattern: RegExp): number {
  const found = pattern.exec(answer)?.[1];
  if (found === undefined) throw new CommandError(`This is no item: ${answer.slice(0, KEPT_TEXT)}`);
  return Number(found);
}
