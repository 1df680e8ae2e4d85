import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const SCRIPT = `
  const { createDb } = await import(${JSON.stringify(new URL('client.ts', import.meta.url).href)});
  await createDb('postgres://nowhere').close();
  console.log(process.memoryUsage().rss);`;

test('a preloaded process imports the same and needs much less memory', async () => {
  const hook = new URL('quick-imports.ts', import.meta.url).href;
  const args = ['--input-type=module', '--eval', SCRIPT];
  const [plain, quick] = await Promise.all([
    run(process.execPath, args),
    run(process.execPath, ['--import', hook, ...args]),
  ]);
  expect(Number(quick.stdout)).toBeLessThan(Number(plain.stdout) / 1.5);
});
