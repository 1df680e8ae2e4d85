import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { clone, read } from './testing/cloning.ts';
import { lenaAs } from './testing/spoken.ts';
import { startTestVoices, type TestVoices } from './testing/start-test-voices.ts';

let voices: TestVoices;
const programs: ChildProcess[] = [];
beforeAll(async () => {
  voices = await startTestVoices();
});
afterAll(async () => {
  for (const program of programs) {
    if (program.exitCode !== null || program.signalCode !== null) continue;
    const gone = once(program, 'exit');
    program.kill('SIGTERM');
    await gone;
  }
  await voices.close();
});

/** The real program, in a process of its own. */
function startProgram(file: string, env: Record<string, string>, stdio: 'inherit' | 'pipe' = 'inherit'): ChildProcess {
  const program = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
    env: { LOG_LEVEL: 'error', ...env },
    execArgv: [],
    stdio: ['ignore', stdio, stdio, 'ipc'],
  });
  programs.push(program);
  return program;
}

const startWorker = () => startProgram('worker.ts', voices.env);

it.each(['main.ts', 'worker.ts'])(
  '%s gets ready, drains when told to, and says what its environment lacks',
  async (file) => {
    const program = startProgram(file, { ...voices.env, LOG_LEVEL: 'info' }, 'pipe');
    const ended = once(program, 'exit');
    const url = await lineWith(program.stdout, /"url":"([^"]+)"/);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    program.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);

    const lost = startProgram(file, { PORT: 'x' }, 'pipe');
    const failed = once(lost, 'exit');
    expect(await text(lost.stderr ?? Readable.from([]))).toMatch(/PORT.*\n.*DATABASE_URL[^]*IDENTITY_SECRET/);
    expect(await failed).toEqual([1, null]);
  },
);

async function lineWith(stream: Readable | null, pattern: RegExp): Promise<string> {
  for await (const line of createInterface({ input: stream ?? Readable.from([]) })) {
    const found = pattern.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  throw new Error(`No line with ${String(pattern)}.`);
}

it('a clone whose worker is killed is finished by the next one, once', async () => {
  const person = voices.person();
  const first = startWorker();
  const { id } = await clone(person, [await lenaAs('flac')]);
  const query = 'subscription ($id: ID!) { voiceStatusChanged(voiceId: $id) { status fitting } }';
  const shape = z.object({ voiceStatusChanged: z.object({ status: z.string(), fitting: z.number().nullable() }) });
  const shown: number[] = [];
  let last = '';
  for await (const { voiceStatusChanged: event } of person.follow(query, { id }, shape)) {
    last = event.status;
    if (event.fitting !== null) shown.push(event.fitting);
    if ((event.fitting ?? 0) < 0.3 || first.killed) continue;
    first.kill('SIGKILL');
    startWorker();
  }
  expect(first.signalCode).toBe('SIGKILL');
  expect(last).toBe('READY');
  expect(shown).toEqual(shown.toSorted((a, b) => a - b));
  expect(await read(person, id)).toMatchObject({ status: 'READY', failure: null });
  const { rows } = await voices.pool.query('select revision, preview_key from voices.voices where id = $1', [id]);
  expect(rows).toEqual([{ revision: 1, preview_key: `tenants/${person.id}/voices/${id}/preview-1.mp3` }]);
}, 240_000);
