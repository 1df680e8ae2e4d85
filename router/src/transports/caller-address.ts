import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Socket } from 'node:net';

export interface TrustedProxies {
  /** How many proxies stand before the router, each of which adds whom it speaks for. */
  count?: number;
  /** Addresses and networks (CIDR) of the proxies; in place of `count`. */
  addresses?: readonly string[];
  /** What they write; default `x-forwarded-for`. Of the other one nothing is believed: it would be the client's own. */
  header?: 'x-forwarded-for' | 'forwarded';
}

/** What callers without a token are told apart by; null where the socket has gone. */
export type AddressOf = (req: IncomingMessage) => string | null;

/**
 * The caller's address: of the socket, or what trusted proxies say, from the nearest on for as far as they are trusted.
 * What a client writes itself stands to the left of that, and counts for nothing.
 *
 * @throws TypeError for what is no address or network
 */
export function createAddressOf(trusted: TrustedProxies | null): AddressOf {
  const bySocket = new WeakMap<Socket, string | null>();
  const ofSocket: AddressOf = ({ socket }) => {
    let address = bySocket.get(socket);
    if (address === undefined) {
      address = socket.remoteAddress === undefined ? null : plain(socket.remoteAddress);
      bySocket.set(socket, address);
    }
    return address;
  };
  if (trusted === null) return ofSocket;

  const { header = 'x-forwarded-for', addresses, count = 0 } = trusted;
  const isTrusted = addresses === undefined ? null : trustOf(addresses);
  return (req) => {
    const sent = req.headers[header];
    const peer = req.socket.remoteAddress;
    if (typeof sent !== 'string' || peer === undefined) return ofSocket(req);
    // The nearest first: each is whom the one before it speaks for.
    const hops = header === 'forwarded' ? forwardedFor(sent) : sent.split(',').map(addressOf).toReversed();
    let caller = peer;
    for (const [index, hop] of hops.entries()) {
      if (isTrusted === null ? index >= count : !isTrusted(caller)) break;
      // One that hides whom it speaks for answers for them.
      if (hop === null) break;
      caller = hop;
    }
    return caller === peer ? ofSocket(req) : plain(caller);
  };
}

function trustOf(addresses: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const address of addresses) {
    const [network = '', bits] = address.split('/', 2);
    const version = isIP(network);
    const prefix = bits === undefined ? (version === 6 ? 128 : 32) : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity;
    if (version === 0 || prefix > (version === 6 ? 128 : 32)) {
      throw new TypeError(`"${address}" is no address and no network of trusted proxies.`);
    }
    list.addSubnet(network, prefix, version === 6 ? 'ipv6' : 'ipv4');
  }
  return (address) => {
    const known = plain(address);
    return list.check(known, isIP(known) === 6 ? 'ipv6' : 'ipv4');
  };
}

/** RFC 7239: the `for` of each element, the last first. */
function forwardedFor(header: string): (string | null)[] {
  return header
    .split(',')
    .map((element) => {
      const pair = element.split(';').find((each) => /^\s*for\s*=/i.test(each));
      return pair === undefined ? null : addressOf(pair.slice(pair.indexOf('=') + 1).replaceAll('"', ''));
    })
    .toReversed();
}

/** Without the port that some proxies add; null for what is no address. */
function addressOf(text: string): string | null {
  const trimmed = text.trim();
  const host = /^\[(?<v6>[^\]]*)\](?::\d+)?$/.exec(trimmed)?.groups?.['v6'] ?? trimmed.replace(/^([\d.]+):\d+$/, '$1');
  return isIP(host) === 0 ? null : host;
}

/** An IPv4 address as such, and without the name of an interface. */
function plain(address: string): string {
  return /^::ffff:(?<v4>[\d.]+)$/i.exec(address)?.groups?.['v4'] ?? address.replace(/%.*$/, '').toLowerCase();
}
