import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('testing/tiny-service.ts', import.meta.url));

function run(env: Record<string, string>) {
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
  let output = '';
  const up = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('up\n')) up.resolve();
    });
  }
  // Not `close`: after a disconnect Node does not emit it.
  const exited = Promise.all([once(child, 'exit'), once(child.stdout, 'end'), once(child.stderr, 'end')]).then(
    ([[code]]) => ({ code: Number(code), output }),
  );
  return { child, up: up.promise, exited };
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s drains and exits 0, however often it is sent', async (signal) => {
  const { child, up, exited } = run({ PORT: '0' });
  await up;
  child.kill(signal);
  child.kill('SIGTERM');
  child.kill('SIGINT');
  expect(await exited).toEqual({ code: 0, output: 'up\ndraining\ndrained\n' });
});

test('when its supervisor is gone it drains and exits', async () => {
  const { child, up, exited } = run({ PORT: '0' });
  await up;
  child.disconnect();
  expect(await exited).toEqual({ code: 0, output: 'up\ndraining\ndrained\n' });
});

test('a bad environment is printed without a stack and exits 1', async () => {
  const { code, output } = await run({ PORT: 'x', LOG_LEVEL: 'loud' }).exited;
  expect(code).toBe(1);
  expect(output).toContain('PORT is "x"');
  expect(output).toContain('LOG_LEVEL is "loud"');
  expect(output).not.toContain('    at ');
});
