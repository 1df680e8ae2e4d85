import { expect, test } from 'vitest';
import { ANONYMOUS_PRINCIPAL } from './principal.ts';
import { callerKey } from './caller-key.ts';

const of = (address: string | null) => callerKey({ principal: ANONYMOUS_PRINCIPAL, address });

test.each([
  ['an IPv4 address and its like in IPv6', '192.0.2.1', '::ffff:192.0.2.1', true],
  ['addresses of one IPv6 network', '2001:db8:0:1::1', '2001:DB8::1:2:3:4:5', true],
  ['the same, written differently', '2001:0db8:0000:0001:0:0:0:9', '2001:db8:0:1::5%eth0', true],
  ['two IPv6 networks', '2001:db8:0:1::1', '2001:db8:0:2::1', false],
  ['two IPv4 addresses', '192.0.2.1', '192.0.2.2', false],
  ['the loopback addresses', '::1', '127.0.0.1', false],
  ['an unknown address and one', null, '192.0.2.1', false],
])('%s', (_name, one, other, same) => {
  expect(of(one) === of(other)).toBe(same);
});

test('a user is the user, whatever they came with', () => {
  const user = { ...ANONYMOUS_PRINCIPAL, userId: 'usr_1' };
  const key = (subject: string, issuer: string | null) =>
    callerKey({ principal: { ...user, subject, issuer }, address: null });
  expect(key('auth0|1', 'https://issuer/')).toBe(key('tk_live_1', null));
  expect(key('auth0|1', null)).not.toBe(of('usr_1'));
  const unresolved = { ...ANONYMOUS_PRINCIPAL, subject: 'same' };
  expect(callerKey({ principal: { ...unresolved, issuer: 'a' }, address: null })).not.toBe(
    callerKey({ principal: { ...unresolved, issuer: 'b' }, address: null }),
  );
});
