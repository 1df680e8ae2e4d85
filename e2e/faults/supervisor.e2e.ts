import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';

// `npm start`, `npm run token` and `npm run grant` as a person types them, each a process.

const program = (name: string) => fileURLToPath(new URL(`../../cli/src/${name}/main.ts`, import.meta.url));

interface RunFile {
  pid: number;
  url: string;
  services: Record<string, { pid: number; port: number }>;
}

let dataDir: string;
let env: Record<string, string | undefined>;
const started: ChildProcess[] = [];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'timbre-supervisor-'));
  env = { ...process.env, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn', FORCE_COLOR: '0' };
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(dataDir, { recursive: true, force: true });
});

async function start() {
  const child = spawn(process.execPath, [program('start')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  const exited = once(child, 'exit').then(([code]) => Number(code));
  let output = '';
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('Timbre is ready')) resolve();
      });
    }
    child.once('exit', () => reject(new Error(`npm start ended:\n${output}`)));
  });
  await ready;
  return { child, exited, output: () => output };
}

async function run(name: string, args: string[] = []): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program(name), ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

async function runFile(): Promise<RunFile> {
  const content: RunFile = JSON.parse(await readFile(join(dataDir, 'run.json'), 'utf8'));
  return content;
}

/** Waits until another process does what `name` did. */
async function replaced(name: string, pid: number): Promise<number> {
  for (;;) {
    const now = (await runFile()).services[name]?.pid;
    if (now !== undefined && now !== pid) return now;
    await sleep(50);
  }
}

async function allGone(pids: number[]): Promise<void> {
  while (pids.some(isAlive)) await sleep(50);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Beside the data stands what it has cost. */
const dataSchema = z.object({ data: z.unknown().optional() });

async function me(url: string): Promise<unknown> {
  const { stdout } = await run('token', ['--email', 'ada@example.com']);
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${stdout.trim()}` },
    body: JSON.stringify({ query: '{ me { email plan { tier } quota { limit } } }' }),
  }).catch(() => null);
  return response === null ? null : dataSchema.parse(await response.json());
}

const asksUntil = async (url: string, expected: unknown) => {
  for (;;) {
    const answer = await me(url);
    if (JSON.stringify(answer) === JSON.stringify(expected)) return;
    await sleep(200);
  }
};

const ada = (tier: string, limit: number) => ({
  data: { me: { email: 'ada@example.com', plan: { tier }, quota: { limit } } },
});

test('start, a second start, a grant, deaths of parts, Ctrl-C, and the data afterwards', async () => {
  // Before anything runs: a token needs no system, a grant does.
  expect((await run('token')).stdout).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
  expect(await run('grant', ['--email', 'ada@example.com', '--plan', 'basic'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('npm start'),
  });

  const first = await start();
  const running = await runFile();
  expect(Object.keys(running.services).toSorted()).toEqual(
    ['billing', 'postgres', 'router', 'tts', 'tts-worker', 'users', 'voices', 'voices-worker'].toSorted(),
  );
  expect(first.output()).toContain(`${running.url}/graphql`);
  expect(first.output()).toMatch(/Authorization: Bearer eyJ/);
  expect(await me(running.url)).toEqual(ada('FREE', 10_000));

  const second = await run('start');
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining(`already running on ${dataDir}`) });
  const port = new URL(running.url).port;
  env = { ...env, DATA_DIR: join(dataDir, 'other'), PORT: port };
  expect(await run('start')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`Port ${port} on 127.0.0.1 is taken`),
  });
  env = { ...env, DATA_DIR: dataDir, PORT: '0' };

  expect(await run('grant', ['--email', 'ada@example.com', '--plan', 'gold'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('enterprise'),
  });
  const granted = await run('grant', ['--email', 'ada@example.com', '--plan', 'basic', '--credits', '7']);
  expect(granted).toMatchObject({ code: 0, stdout: expect.stringContaining('free → basic') });
  await asksUntil(running.url, ada('BASIC', 100_007));

  for (const name of ['users', 'postgres', 'router']) {
    const { pid } = running.services[name] ?? { pid: 0 };
    process.kill(pid, 'SIGKILL');
    await replaced(name, pid);
    await asksUntil(running.url, ada('BASIC', 100_007));
  }

  const last = await runFile();
  first.child.kill('SIGINT');
  first.child.kill('SIGINT');
  first.child.kill('SIGTERM');
  expect(await first.exited).toBe(0);
  expect(Object.values(last.services).filter(({ pid }) => isAlive(pid))).toEqual([]);
  await expect(runFile()).rejects.toThrow('ENOENT');

  const again = await start();
  await asksUntil((await runFile()).url, ada('BASIC', 100_007));
  again.child.kill('SIGTERM');
  expect(await again.exited).toBe(0);
});

test('when the supervisor itself is killed nothing stays behind, and the next start goes on', async () => {
  const first = await start();
  const { services, url } = await runFile();
  expect(await me(url)).toEqual(ada('FREE', 10_000));
  first.child.kill('SIGKILL');
  await allGone(Object.values(services).map(({ pid }) => pid));

  const second = await start();
  expect(await me((await runFile()).url)).toEqual(ada('FREE', 10_000));
  second.child.kill('SIGINT');
  expect(await second.exited).toBe(0);
});

test('a token is refused where a real issuer signs them', async () => {
  env = { ...env, AUTH_ISSUER: 'https://login.example.com/' };
  expect(await run('token')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('AUTH_ISSUER is set'),
  });
  expect(await run('token', ['--email', 'nobody'])).toMatchObject({ stdout: '' });
  expect(await run('token', ['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--scopes') });
});
