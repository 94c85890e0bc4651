import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isGlobalUnicast } from '../../src/protocol/client-keys/remote-jwks/address.ts';
import { jwkSetFetcher } from '../../src/protocol/client-keys/remote-jwks/fetch.ts';
import { remoteJwks } from '../../src/protocol/client-keys/remote-jwks/remote-jwks.ts';
import { RemoteJwksUnavailable } from '../../src/protocol/client-keys/remote-jwks/unavailable.ts';
import { certificate } from '../support/certificates.ts';

/** `fetched`, or why not. */
async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'fetched';
  } catch (error) {
    if (error instanceof RemoteJwksUnavailable) return error.reason;
    throw error;
  }
}

describe('addresses that nothing may be fetched from (RFC 6890)', () => {
  it.each([
    '127.0.0.1',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '192.0.2.1',
    '198.18.0.1',
    '240.0.0.1',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd00::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:db8::1',
    '2001::1',
    'fe80::1%eth0',
    '0177.0.0.1',
    '127.1',
    '0x7f000001',
    'localhost',
    '',
  ])('%s', (address) => {
    expect(isGlobalUnicast(address)).toBe(false);
  });
  it.each(['8.8.8.8', '1.1.1.1', '2606:4700:4700::1111', '2a00:1450:4001::1'])(
    '%s is allowed',
    (address) => {
      expect(isGlobalUnicast(address)).toBe(true);
    },
  );
});

describe('one fetch', () => {
  let server: Server;
  let origin: string;
  let ca: string;
  let connections = 0;
  const jwks = JSON.stringify({ keys: [{ kty: 'EC' }] });
  const answers: Record<string, (response: ServerResponse) => unknown> = {
    '/good': (response) => response.setHeader('content-type', 'application/json').end(jwks),
    '/created': (response) =>
      response.writeHead(201, { 'content-type': 'application/json' }).end(jwks),
    '/redirect': (response) => response.writeHead(302, { location: '/good' }).end(),
    '/html': (response) => response.setHeader('content-type', 'text/html').end(jwks),
    '/garbage': (response) =>
      response.setHeader('content-type', 'application/json').end('secret text'),
    '/array': (response) => response.setHeader('content-type', 'application/json').end('[]'),
    '/large': (response) =>
      response
        .setHeader('content-type', 'application/json')
        .end(`{"keys":[],"x":"${'x'.repeat(70_000)}"}`),
    '/lies': (response) => {
      response.writeHead(200, {
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
      });
      const more = () => void (response.writable && response.write('x'.repeat(16_384), more));
      more();
    },
    '/bomb': (response) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(Buffer.alloc(1_000_000))),
    '/slow': (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    },
    '/silent': () => undefined,
  };
  beforeAll(async () => {
    const made = await certificate({
      subject: 'CN=keys',
      names: [
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'keys.example.com' },
      ],
    });
    ca = made.pem;
    server = createServer({ cert: made.pem, key: made.keyPem }, ({ url = '' }, response) =>
      answers[url]?.(response),
    );
    server.on('connection', () => connections++);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    origin = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it.each([
    ['/good', 'fetched'],
    ['/created', 'status_not_200'],
    ['/redirect', 'status_not_200'],
    ['/html', 'content_type_not_json'],
    ['/garbage', 'body_not_json'],
    ['/array', 'body_not_jwk_set'],
    ['/large', 'body_too_large'],
    ['/lies', 'body_too_large'],
    ['/bomb', 'content_encoding_not_identity'],
    ['/slow', 'deadline_exceeded'],
    ['/silent', 'deadline_exceeded'],
  ])('%s: %s', async (path, expected) => {
    expect(
      await reasonOf(
        jwkSetFetcher({ allowPrivateAddresses: true, ca, deadlineMs: 400 })(origin + path),
      ),
    ).toBe(expected);
  });
  it('a certificate that nobody trusts', async () => {
    expect(await reasonOf(jwkSetFetcher({ allowPrivateAddresses: true })(`${origin}/good`))).toBe(
      'connection_failed',
    );
  });
  it.each([
    'http://127.0.0.1/x',
    'https://u:p@127.0.0.1/x',
    'https://127.0.0.1/x#y',
    'file:///etc/passwd',
    'https://127.0.0.1\\@evil/x',
    'x',
  ])('%s is no jwks_uri', async (uri) => {
    expect(await reasonOf(jwkSetFetcher()(uri))).toBe('uri_not_allowed');
  });
  it('an address inside, literal or behind a name, in any spelling: no connection is made', async () => {
    const before = connections;
    const port = new URL(origin).port;
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '%31%32%37.0.0.1',
    ])
      expect(await reasonOf(jwkSetFetcher({ ca })(`https://${host}:${port}/good`))).toBe(
        'address_not_allowed',
      );
    const mixed = async () => ['8.8.8.8', '127.0.0.1'];
    expect(
      await reasonOf(
        jwkSetFetcher({ ca, resolveHost: mixed })(`https://keys.example.com:${port}/good`),
      ),
    ).toBe('address_not_allowed');
    expect(connections).toBe(before);
  });
  it('the name is asked for once: a second answer (rebinding) is never used', async () => {
    let asked = 0;
    const rebinding = async () => (asked++ === 0 ? ['127.0.0.1'] : ['169.254.169.254']);
    const uri = `https://keys.example.com:${new URL(origin).port}/good`;
    expect([
      await reasonOf(
        jwkSetFetcher({ allowPrivateAddresses: true, ca, resolveHost: rebinding })(uri),
      ),
      asked,
    ]).toEqual(['fetched', 1]);
  });
  it('an error says nothing of what was fetched', async () => {
    const error: unknown = await jwkSetFetcher({ allowPrivateAddresses: true, ca })(
      `${origin}/garbage`,
    ).catch((thrown: unknown) => thrown);
    expect(
      `${String(error)} ${JSON.stringify(error)} ${String((error as Error).stack)}`,
    ).not.toContain('secret text');
  });
});

describe('the cache', () => {
  const cache = (answer: () => Promise<{ jwks: { keys: [] }; lifetimeMs: number | undefined }>) => {
    const clock = { now: 0 };
    let fetched = 0;
    const sets = remoteJwks({
      clock: () => clock.now,
      fetch: async () => {
        fetched++;
        return answer();
      },
    });
    return { clock, sets, fetched: () => fetched };
  };
  const fresh = (lifetimeMs: number | undefined) => async () => ({
    jwks: { keys: [] as [] },
    lifetimeMs,
  });

  it('concurrent look-ups are one request', async () => {
    const { sets, fetched } = cache(fresh(undefined));
    await Promise.all(
      Array.from({ length: 20 }, async () => sets.current('https://a.example/jwks')),
    );
    expect(fetched()).toBe(1);
  });
  it('100 unknown key identifiers cause one request a cool-down', async () => {
    const { clock, sets, fetched } = cache(fresh(3_600_000));
    for (let index = 0; index < 100; index++) await sets.newest('https://a.example/jwks');
    expect(fetched()).toBe(1);
    clock.now += 60_000;
    for (let index = 0; index < 100; index++) await sets.newest('https://a.example/jwks');
    expect(fetched()).toBe(2);
  });
  it.each([
    ['max-age=0 counts as a minute', 0, 60_000],
    ['ten years count as a day', 315_360_000_000, 86_400_000],
    ['no word counts as ten minutes', undefined, 600_000],
  ])('%s', async (_, lifetime, until) => {
    const { clock, sets, fetched } = cache(fresh(lifetime));
    await sets.current('https://a.example/jwks');
    clock.now = until - 1;
    await sets.current('https://a.example/jwks');
    expect(fetched()).toBe(1);
    clock.now = until;
    await sets.current('https://a.example/jwks');
    expect(fetched()).toBe(2);
  });
  it('a copy serves for an hour while fetches fail, and no longer', async () => {
    let up = true;
    const { clock, sets } = cache(async () => {
      if (!up) throw new RemoteJwksUnavailable('connection_failed');
      return { jwks: { keys: [] }, lifetimeMs: 60_000 };
    });
    await sets.current('https://a.example/jwks');
    up = false;
    clock.now = 60_000 + 3_599_999;
    expect(await reasonOf(sets.current('https://a.example/jwks'))).toBe('fetched');
    clock.now = 60_000 + 3_600_000 + 30_000;
    expect(await reasonOf(sets.current('https://a.example/jwks'))).toBe('connection_failed');
  });
});
