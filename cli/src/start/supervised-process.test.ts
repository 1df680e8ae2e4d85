import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive } from './pid-lock.ts';
import { SupervisedProcess } from './supervised-process.ts';

let directory: string;
let lines: string[];
const running: SupervisedProcess[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'timbre-supervised-'));
  lines = [];
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
  await rm(directory, { recursive: true });
});

async function supervise(program: string, env: Record<string, string> = {}): Promise<SupervisedProcess> {
  const entry = join(directory, 'service.mjs');
  await writeFile(entry, program);
  const supervised = new SupervisedProcess({ entry, env, onLine: (line) => void lines.push(line) });
  running.push(supervised);
  return supervised;
}

async function said(text: string): Promise<void> {
  while (!lines.includes(text)) await sleep(10);
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(10);
}

const STAYS = `process.on('SIGTERM', () => { console.log('drained'); process.exit(0); });
  setInterval(() => {}, 1000); console.log('up ' + process.pid);`;

test('what dies is started again, and what is stopped is not', async () => {
  const service = await supervise(STAYS);
  service.start();
  const first = service.pid ?? 0;
  await said(`up ${first}`);
  const again = once(service, 'spawn');
  process.kill(first, 'SIGKILL');
  const [second] = await again;
  expect(second).not.toBe(first);
  await said(`up ${second}`);
  await service.stop();
  expect(lines.at(-1)).toBe('drained');
  expect(service.pid).toBeNull();
  expect(isAlive(Number(second))).toBe(false);
});

test('a process that dies at once is started again after growing delays', async () => {
  const service = await supervise('process.exit(3)');
  const delays: number[] = [];
  const enough = Promise.withResolvers<void>();
  service.on('crash', (cause, delayMs) => {
    expect(cause).toBe('exit code 3');
    delays.push(delayMs);
    if (delays.length === 3) enough.resolve();
  });
  service.start();
  await enough.promise;
  expect(delays).toEqual([100, 200, 400]);
});

test('it sees the variables that it is given and no others', async () => {
  const service = await supervise(`console.log(JSON.stringify(Object.keys(process.env).sort())); ${STAYS}`, {
    PORT: '1',
  });
  service.start();
  await said(`up ${service.pid}`);
  const names: string[] = JSON.parse(lines[0] ?? '[]');
  expect(names.filter((name) => !name.startsWith('NODE_CHANNEL'))).toEqual(['PORT']);
});

test('a stop while the next start is awaited starts nothing', async () => {
  const service = await supervise('process.exit(1)');
  service.start();
  await once(service, 'crash');
  await service.stop();
  await sleep(300);
  expect(service.pid).toBeNull();
});

test('when the supervisor is killed, its process ends', async () => {
  const entry = join(directory, 'service.mjs');
  await writeFile(entry, `process.on('disconnect', () => process.exit(0)); ${STAYS}`);
  const module = new URL('supervised-process.ts', import.meta.url).href;
  const supervisor = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { SupervisedProcess } = await import(${JSON.stringify(module)});
       new SupervisedProcess({ entry: ${JSON.stringify(entry)}, env: {}, onLine: (line) => console.log(line) }).start();`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [first] = await once(supervisor.stdout.setEncoding('utf8'), 'data');
  const pid = Number(/up (\d+)/.exec(String(first))?.[1]);
  expect(isAlive(pid)).toBe(true);
  supervisor.kill('SIGKILL');
  await gone(pid);
});
