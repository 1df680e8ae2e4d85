import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { clone, read } from './testing/cloning.ts';
import { lenaAs } from './testing/spoken.ts';
import { startTestVoices, type TestVoices } from './testing/start-test-voices.ts';

let voices: TestVoices;
const workers: ChildProcess[] = [];
beforeAll(async () => {
  voices = await startTestVoices();
});
afterAll(async () => {
  for (const worker of workers) {
    if (worker.exitCode !== null || worker.signalCode !== null) continue;
    const gone = once(worker, 'exit');
    worker.kill('SIGTERM');
    await gone;
  }
  await voices.close();
});

/** The real program, in a process of its own. */
function startWorker(): ChildProcess {
  const worker = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), [], {
    env: { ...voices.env, LOG_LEVEL: 'error', PORT: '0' },
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  workers.push(worker);
  return worker;
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
}, 120_000);
