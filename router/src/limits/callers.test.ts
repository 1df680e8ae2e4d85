import { expect, test } from 'vitest';
import { createCallers } from './callers.ts';

const MORE_THAN_ARE_REMEMBERED = 10_001;

test.each([
  ['one network', (n: number) => `2001:db8:0:1::${n.toString(16)}`],
  ['many networks', (n: number) => `2001:db8:${(n % 0xffff).toString(16)}:${(n >> 16).toString(16)}::1`],
])('the addresses of %s are not remembered without end; who is there is', (_name, addressOf) => {
  const callers = createCallers();
  const idle = callers.ofAddress('2001:db8:0:1::ffff:1');
  const busy = callers.ofAddress('2001:db8:ffff:1::1');
  busy.operations = 1;
  for (let n = 1; n <= MORE_THAN_ARE_REMEMBERED; n += 1) callers.ofAddress(addressOf(n));
  expect(callers.ofAddress('2001:db8:0:1::ffff:1')).not.toBe(idle);
  expect(callers.ofAddress('2001:db8:ffff:1::1')).toBe(busy);
});
