import { createServer, request } from 'node:http';
import type { Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { listen } from '../testing/listen.ts';
import { createAddressOf } from './caller-address.ts';
import type { TrustedProxies } from './caller-address.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** What a router behind these proxies takes the caller of a request from 127.0.0.1 to be. */
async function addressWith(
  trusted: TrustedProxies | null,
  headers: Record<string, string | string[]>,
): Promise<string> {
  const addressOf = createAddressOf(trusted);
  const server = createServer((req, res) => void res.end(String(addressOf(req))));
  servers.push(server);
  const url = await listen(server);
  return new Promise((resolve, reject) => {
    request(url, { headers }, (res) => void text(res).then(resolve, reject))
      .on('error', reject)
      .end();
  });
}
const forwarded = (value: string) => ({ 'x-forwarded-for': value });

test('without trusted proxies it is the socket, whatever is claimed', async () => {
  const claims = {
    'x-forwarded-for': '203.0.113.9',
    forwarded: 'for=203.0.113.9',
    'x-real-ip': '203.0.113.9',
    'cf-connecting-ip': '203.0.113.9',
    'true-client-ip': '203.0.113.9',
    'x-client-ip': '203.0.113.9',
  };
  expect(await addressWith(null, claims)).toBe('127.0.0.1');
});

describe('behind a number of proxies', () => {
  test.each([
    [0, '203.0.113.9', '127.0.0.1'],
    [1, '203.0.113.9', '203.0.113.9'],
    [1, '198.51.100.66, 203.0.113.9', '203.0.113.9'],
    [2, '198.51.100.66, 203.0.113.9, 10.0.0.1', '203.0.113.9'],
    // Fewer than there should be: the furthest that was written.
    [3, '203.0.113.9, 10.0.0.1', '203.0.113.9'],
    [1, '', '127.0.0.1'],
    [1, 'unknown', '127.0.0.1'],
    [2, 'nonsense, 203.0.113.9', '203.0.113.9'],
    [1, '203.0.113.9:4711', '203.0.113.9'],
    [1, '::ffff:203.0.113.9', '203.0.113.9'],
    [1, '[2001:db8:1:2:3:4:5:6]:443', '2001:db8:1:2:3:4:5:6'],
    [1, '2001:DB8::1', '2001:db8::1'],
    [1, '999.0.0.1', '127.0.0.1'],
    [1, '203.0.113.9, ', '127.0.0.1'],
    [1, '1.2.3.4\t', '1.2.3.4'],
    [1, `${'1.1.1.1, '.repeat(1_000)}203.0.113.9`, '203.0.113.9'],
  ])('%i of them, "%s" is %s', async (count, header, expected) => {
    expect(await addressWith({ count }, forwarded(header))).toBe(expected);
  });

  test('several headers are one list', async () => {
    expect(await addressWith({ count: 1 }, { 'x-forwarded-for': ['203.0.113.9', '198.51.100.1'] })).toBe(
      '198.51.100.1',
    );
  });
});

describe('behind proxies of known addresses', () => {
  const trusted = { addresses: ['127.0.0.1', '10.0.0.0/8', '2001:db8:f::/48'] };

  test.each([
    ['203.0.113.9', '203.0.113.9'],
    ['198.51.100.66, 203.0.113.9, 10.1.2.3', '203.0.113.9'],
    ['203.0.113.9, 2001:db8:f::1, 10.1.2.3', '203.0.113.9'],
    ['203.0.113.9, ::ffff:10.1.2.3', '203.0.113.9'],
    // A client that claims to be one of them is believed no further than the proxy that saw it.
    ['10.9.9.9, 203.0.113.9', '203.0.113.9'],
    ['10.9.9.9', '10.9.9.9'],
    ['10.9.9.9, 10.1.2.3', '10.9.9.9'],
  ])('"%s" is %s', async (header, expected) => {
    expect(await addressWith(trusted, forwarded(header))).toBe(expected);
  });

  test('who comes past them is who it is', async () => {
    expect(await addressWith({ addresses: ['10.0.0.0/8'] }, forwarded('203.0.113.9'))).toBe('127.0.0.1');
  });

  test.each(['10.0.0.0/33', '10.0.0/8', 'proxy.example.com', '', '::/129', '10.0.0.0/x'])(
    '%j is refused',
    (address) => {
      expect(() => createAddressOf({ addresses: [address] })).toThrow(TypeError);
    },
  );
});

describe('Forwarded (RFC 7239)', () => {
  test.each([
    ['for=203.0.113.9', '203.0.113.9'],
    ['for=198.51.100.66, for=203.0.113.9;proto=https;by=10.0.0.1', '203.0.113.9'],
    ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for=_hidden', '127.0.0.1'],
    ['proto=https', '127.0.0.1'],
  ])('%s is %s', async (header, expected) => {
    expect(await addressWith({ count: 1, header: 'forwarded' }, { forwarded: header })).toBe(expected);
  });

  test('and the other header are not believed where the proxies do not write them', async () => {
    expect(await addressWith({ count: 1, header: 'forwarded' }, forwarded('203.0.113.9'))).toBe('127.0.0.1');
    expect(await addressWith({ count: 1 }, { forwarded: 'for=203.0.113.9' })).toBe('127.0.0.1');
  });
});
