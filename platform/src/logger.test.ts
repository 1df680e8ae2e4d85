import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { IDENTITY_HEADER } from './identity.ts';
import { createLogger } from './logger.ts';

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger({ name: 'test', level: 'info', stream: { write: (line) => void lines.push(line) } }));
  return lines.join('');
}

const jwt = `eyJhbGciOiJFUzI1NiJ9.${'a'.repeat(40)}.${'b'.repeat(40)}`;

test('credentials do not reach the log, whether as fields or inside a text', () => {
  const text = logged((log) => {
    log.info(
      { headers: { authorization: 'Bearer hunter2hunter2', cookie: 'sid=hunter2', [IDENTITY_HEADER]: 'v1.hunter2' } },
      'a',
    );
    log.info({ req: { headers: { authorization: 'Basic hunter2' } }, token: 'hunter2', password: 'hunter2' }, 'b');
    log.info(`GET /media/k?expires=1&signature=hunter2hunter2 with Bearer hunter2hunter2`);
    log.error({ err: new Error('connect postgres://timbre:hunter2@db:5432/timbre failed') }, 'c');
    log.info({ deep: { er: { url: 'https://s3/k?X-Amz-Signature=hunter2&X-Amz-Credential=hunter2%2Fx' } } }, jwt);
  });
  expect(text).not.toContain('hunter2');
  expect(text).not.toContain(jwt);
  expect(text.split('\n').filter(Boolean)).toHaveLength(5);
});

test('everything else is kept', () => {
  const text = logged((log) => log.child({ requestId: 'r-1' }).info({ voiceId: 'voi_1' }, 'fitted'));
  expect(JSON.parse(text)).toMatchObject({ name: 'test', requestId: 'r-1', voiceId: 'voi_1', msg: 'fitted' });
});

test('of a failed query the log has the statement and the reason, not the values', () => {
  const params = ['Dear diary\n    at night', 'ann@example.test'];
  const failed = Object.assign(
    new Error(`Failed query: select $1, $2\nparams: ${params.join(',')}`, { cause: new Error('no such table') }),
    { query: 'select $1, $2', params },
  );
  const text = logged((log) => {
    log.error({ err: failed }, 'a');
    log.error({ err: new Error('wrapped', { cause: failed }) }, 'b');
    const circle = new Error('circle');
    log.error({ err: Object.assign(circle, { cause: circle }) }, 'c');
  });
  for (const said of ['select $1, $2', 'no such table', 'logger.test.ts', 'wrapped', 'circle']) {
    expect(text).toContain(said);
  }
  for (const value of ['diary', 'night', 'example.test']) expect(text).not.toContain(value);
});

test('a long hostile text takes no more time than any other', () => {
  const before = performance.now();
  const text = logged((log) => log.info({ text: '-eyJ'.repeat(100_000) }, 'a'));
  expect(text.length).toBeGreaterThan(400_000);
  expect(performance.now() - before).toBeLessThan(5_000);
});

test.each([
  ['ends by itself', ''],
  ['exits', 'process.exit(0)'],
  ['fails', 'throw new Error("of the test")'],
  ['is killed after a flush', 'flush(); process.kill(process.pid, "SIGKILL")'],
])('no line that was written is lost where the process %s', (_how, end) => {
  const program = `
    import { createLineWriter } from '${new URL('logger.ts', import.meta.url).href}';
    const { write, flush } = createLineWriter({ name: 'many' });
    for (let i = 0; i < 2_000; i += 1) write(\`"i":\${i},"text":"\${'x'.repeat(100)}"\`);
    ${end}
  `;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  const lines = stdout
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(lines).toHaveLength(2_000);
  expect(lines.at(-1)).toMatchObject({ level: 30, name: 'many', i: 1_999, text: 'x'.repeat(100) });
});
