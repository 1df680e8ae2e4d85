import { isIPv6 } from 'node:net';
import type { Session } from '../engine.ts';

/**
 * Who is told apart by limits, in this process and in others: the user, whatever tokens and API keys they come with, or for
 * the anonymous their address.
 */
export function callerKey({ principal, address }: Pick<Session, 'principal' | 'address'>): string {
  const { userId, subject, issuer } = principal;
  if (userId !== null) return `user ${userId}`;
  return subject === null ? addressKey(address) : `subject ${issuer} ${subject}`;
}

/** Of IPv6 the network of 64 bits: whoever has one address has all of these. */
export function addressKey(address: string | null): string {
  if (address === null || !isIPv6(address)) return `address ${address}`;
  const [plain = ''] = address.split('%', 1);
  const mapped = /^::ffff:(?<v4>\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.groups?.['v4'];
  if (mapped !== undefined) return `address ${mapped}`;
  const [head = '', tail] = plain.toLowerCase().split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  // An IPv4 address at the end stands for two groups.
  const groups = left.length + right.length + (plain.includes('.') ? 1 : 0);
  const zeros = Array.from({ length: Math.max(0, 8 - groups) }, () => '0');
  const network = [...left, ...zeros, ...right].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `address ${network.join(':')}::/64`;
}
