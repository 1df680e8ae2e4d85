import { CommandError } from '../../run-command.ts';
import type { HttpPool } from '../http-pool.ts';
import { READ, WRITE } from './graph.ts';

const VERSION = /"version":(\d+)/;
const VERSION_OF_DETAILS = /"versionOfDetails":(\d+)/;

export interface ItemClient {
  /** @returns the older one of the versions that the two subgraphs told. @throws CommandError for anything but an item */
  read(pool: HttpPool, who: number, id: number): Promise<number>;
  /** @returns the new version */
  write(pool: HttpPool, who: number, id: number): Promise<number>;
}

/** Of people who each have a token. */
export function createItemClient(tokens: readonly string[]): ItemClient {
  const post = (pool: HttpPool, who: number, start: string, id: number) => {
    const body = `${start},"variables":{"id":"${id}"}}`;
    return new Promise<string>((resolve, reject) => {
      pool.post(
        `authorization: Bearer ${tokens[who]}\r\ncontent-type: application/json\r\naccept: application/json\r\n` +
          `content-length: ${body.length}\r\n\r\n${body}`,
        (failure, answer) => {
          if (failure === null) resolve(answer.toString('latin1'));
          else reject(new CommandError(`A request failed: ${failure}`));
        },
      );
    });
  };
  const read = JSON.stringify({ query: READ }).slice(0, -1);
  const write = JSON.stringify({ query: WRITE }).slice(0, -1);
  return {
    async read(pool, who, id) {
      const answer = await post(pool, who, read, id);
      return Math.min(numberIn(answer, VERSION), numberIn(answer, VERSION_OF_DETAILS));
    },
    write: async (pool, who, id) => numberIn(await post(pool, who, write, id), VERSION),
  };
}

function numberIn(answer: string, pattern: RegExp): number {
  const found = pattern.exec(answer)?.[1];
  if (found === undefined) throw new CommandError(`This is no item: ${answer.slice(0, 300)}`);
  return Number(found);
}
