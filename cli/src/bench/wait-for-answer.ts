import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from '../run-command.ts';
import type { PinnedProcess } from './pinned-process.ts';

const START_MS = 60_000;

/**
 * Until the process answers HTTP at `url`, whatever it answers; with a body it is a POST of it.
 *
 * @throws CommandError when it ends first or takes a minute
 */
export async function waitForAnswer(url: string, program: PinnedProcess, body?: string): Promise<void> {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: body ?? '' };
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    try {
      const response = await Promise.race([
        fetch(url, { ...(body === undefined ? {} : post), signal: AbortSignal.timeout(5_000) }),
        program.failed,
      ]);
      await response.arrayBuffer();
      return;
    } catch (error) {
      if (error instanceof CommandError) throw error;
      await sleep(50);
    }
  }
  throw new CommandError(`${program.name} does not answer at ${url}.`);
}
