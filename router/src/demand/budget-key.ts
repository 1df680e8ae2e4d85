import { isIPv6 } from 'node:net';
import type { Session } from '../engine.ts';

/** Whose bucket it is: the user's, whatever tokens and API keys they come with, or for the anonymous their address's. */
export function budgetKey({ principal, address }: Pick<Session, 'principal' | 'address'>): string {
  const { userId, subject, issuer } = principal;
  if (userId !== null) return `user ${userId}`;
  if (subject !== null) return `subject ${issuer} ${subject}`;
  return `address ${address === null ? '' : isIPv6(address) ? networkOf(address) : address}`;
}

/** The 64 bits that whoever has one address has all addresses of; an IPv4 address in IPv6 is that. */
function networkOf(address: string): string {
  const [plain = ''] = address.toLowerCase().split('%', 1);
  const mapped = /^::ffff:(?<v4>[\d.]+)$/.exec(plain)?.groups?.['v4'];
  if (mapped !== undefined) return mapped;
  const [head = '', tail = ''] = plain.split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = Math.max(0, 8 - left.length - right.length - (plain.includes('.') ? 1 : 0));
  const groups = [...left, ...Array.from({ length: plain.includes('::') ? zeros : 0 }, () => '0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
