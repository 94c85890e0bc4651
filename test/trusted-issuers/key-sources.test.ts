import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IssuerKeySource } from '../../src/domain/key-source.ts';
import { goesDirectly } from '../../src/protocol/client-keys/remote-jwks/egress-proxy.ts';
import { fetchSource } from '../../src/protocol/client-keys/remote-jwks/fetch-source.ts';
import { RemoteJwksUnavailable } from '../../src/protocol/client-keys/remote-jwks/unavailable.ts';
import { certificate } from '../support/certificates.ts';
import { testKey } from '../support/keys.ts';

const { jwk } = await testKey();
const bundle = {
  keys: [
    { ...jwk, kid: 'jwt', use: 'jwt-svid' },
    { ...jwk, kid: 'x509', use: 'x509-svid', x5c: ['AAAA'] },
    { ...jwk, kid: 'without-use' },
  ],
  spiffe_refresh_hint: 300,
};
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundles-'));
const directory = join(folder, 'below');

/** A server of keys and metadata, on loopback, that only its own authority vouches for. */
let [origin, ca, other]: [string, string, string] = [] as never;
const documents: Record<string, unknown> = {};
let keys: ReturnType<typeof createServer>;
/** A proxy that notes where it was asked to lead. */
let [proxy, proxyUrl]: [Server, string] = [] as never;
const led: string[] = [];
const authorizations: unknown[] = [];
const addressOf = (server: Server) => {
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
};

beforeAll(async () => {
  const names = [{ type: 'ip', value: '127.0.0.1' }] as const;
  const made = await certificate({ subject: 'CN=127.0.0.1, O=mine', names: [...names] });
  [ca, other] = [made.pem, (await certificate({ subject: 'CN=other', names: [...names] })).pem];
  keys = createServer({ cert: made.pem, key: made.keyPem }, ({ url = '' }, response) => {
    const document = documents[url];
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  await once(keys.listen(0, '127.0.0.1'), 'listening');
  origin = `https://${addressOf(keys)}`;
  documents['/jwks'] = { keys: [{ ...jwk, kid: 'plain' }] };
  documents['/bundle'] = bundle;
  const metadata = (issuer: string) => ({ issuer, jwks_uri: `${origin}/jwks` });
  documents['/op/.well-known/openid-configuration'] = metadata(`${origin}/op`);
  documents['/.well-known/oauth-authorization-server/as'] = metadata(`${origin}/as`);
  documents['/liar/.well-known/openid-configuration'] = metadata(`${origin}/op`);
  documents['/elsewhere/.well-known/openid-configuration'] = {
    issuer: `${origin}/elsewhere`,
    jwks_uri: 'http://127.0.0.1/jwks',
  };

  proxy = createHttpServer().on('connect', ({ url = '', headers }, socket) => {
    led.push(url);
    authorizations.push(headers['proxy-authorization']);
    const [host, port] = url.split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  proxyUrl = `http://someone:pass%20word@${addressOf(proxy)}`;

  mkdirSync(join(directory, 'cluster'), { recursive: true });
  writeFileSync(join(directory, 'bundle.json'), JSON.stringify(bundle));
  writeFileSync(
    join(directory, 'repeated.json'),
    JSON.stringify(bundle).replace('{', '{"keys":[],'),
  );
  writeFileSync(join(directory, 'half.json'), JSON.stringify(bundle).slice(0, 100));
  writeFileSync(
    join(directory, 'large.json'),
    JSON.stringify({ ...bundle, x: 'x'.repeat(70_000) }),
  );
  writeFileSync(join(directory, 'cluster/ca.pem'), ca);
  writeFileSync(join(folder, 'outside.json'), JSON.stringify(bundle));
  symlinkSync(join(folder, 'outside.json'), join(directory, 'link.json'));
  symlinkSync(folder, join(directory, 'out'));
  symlinkSync('bundle.json', join(directory, 'within.json'));
});
afterAll(() => {
  keys.closeAllConnections();
  keys.close();
  proxy.closeAllConnections();
  proxy.close();
  rmSync(folder, { recursive: true });
});

/** The `kid`s with their `use`, or why there are none. */
async function found(
  source: Omit<IssuerKeySource, 'at'> & { at: string },
  more: Partial<Parameters<typeof fetchSource>[0]> = {},
): Promise<string> {
  const fetch = fetchSource({
    allowPrivateAddresses: false,
    directory,
    proxy: undefined,
    ...more,
  });
  try {
    const { jwks } = await fetch(source);
    return jwks.keys.map(({ kid, use }) => `${String(kid)} ${JSON.stringify(use)}`).join(', ');
  } catch (error) {
    if (error instanceof RemoteJwksUnavailable) return error.reason;
    throw error;
  }
}
const mine = () => ({ allowPrivateAddresses: true, ca: { pem: ca } });
const fromBundle = 'jwt "sig", x509 "x509-svid"';

describe('where the keys of a trusted issuer come from', () => {
  it.each<[string, () => Omit<IssuerKeySource, 'at'> & { at: string }, string]>([
    ['a JWK Set', () => ({ kind: 'jwks', at: `${origin}/jwks`, ...mine() }), 'plain undefined'],
    [
      'OpenID metadata',
      () => ({ kind: 'discovery', at: `${origin}/op`, ...mine() }),
      'plain undefined',
    ],
    [
      'RFC 8414 metadata',
      () => ({ kind: 'discovery', at: `${origin}/as`, ...mine() }),
      'plain undefined',
    ],
    [
      'metadata of another issuer',
      () => ({ kind: 'discovery', at: `${origin}/liar`, ...mine() }),
      'metadata_not_of_issuer',
    ],
    [
      'metadata that leads to http',
      () => ({ kind: 'discovery', at: `${origin}/elsewhere`, ...mine() }),
      'uri_not_allowed',
    ],
    [
      'no metadata',
      () => ({ kind: 'discovery', at: `${origin}/nobody`, ...mine() }),
      'status_not_200',
    ],
    ['a trust bundle', () => ({ kind: 'bundle', at: `${origin}/bundle`, ...mine() }), fromBundle],
    [
      'an authority from a file',
      () => ({ kind: 'jwks', at: `${origin}/jwks`, ...mine(), ca: { file: 'cluster/ca.pem' } }),
      'plain undefined',
    ],
    [
      'another authority',
      () => ({ kind: 'jwks', at: `${origin}/jwks`, ...mine(), ca: { pem: other } }),
      'connection_failed',
    ],
    [
      'a private address that the issuer is not allowed',
      () => ({ kind: 'jwks', at: `${origin}/jwks`, ca: { pem: ca } }),
      'address_not_allowed',
    ],
    [
      'the address where clouds answer with credentials',
      () => ({ kind: 'jwks', at: 'https://169.254.169.254/jwks', ...mine() }),
      'address_not_allowed',
    ],
    ['a file', () => ({ kind: 'file', at: 'bundle.json' }), fromBundle],
    ['a file by a link within', () => ({ kind: 'file', at: 'within.json' }), fromBundle],
    ['a file by a link out', () => ({ kind: 'file', at: 'link.json' }), 'file_not_allowed'],
    [
      'a folder by a link out',
      () => ({ kind: 'file', at: 'out/outside.json' }),
      'file_not_allowed',
    ],
    ['a way up', () => ({ kind: 'file', at: '../outside.json' }), 'file_not_allowed'],
    ['no file', () => ({ kind: 'file', at: 'none.json' }), 'file_not_readable'],
    ['a half-written file', () => ({ kind: 'file', at: 'half.json' }), 'body_not_json'],
    [
      'a file with a repeated member',
      () => ({ kind: 'file', at: 'repeated.json' }),
      'body_not_json',
    ],
    ['a file that is too long', () => ({ kind: 'file', at: 'large.json' }), 'body_too_large'],
  ])('%s', async (_, source, expected) => expect(await found(source())).toBe(expected));

  it('without a directory there is no file', async () => {
    const source = { kind: 'file', at: 'bundle.json' } as const;
    expect(await found(source, { directory: undefined })).toBe('file_not_allowed');
  });
});

describe('HTTPS_PROXY', () => {
  const source = () => ({ kind: 'jwks', at: `${origin}/jwks`, ...mine() }) as const;
  it('leads to the address that was checked, with the same certificate and the same limits', async () => {
    const named = { ...source(), at: source().at.replace('127.0.0.1', 'localhost') };
    expect(await found(source(), { proxy: { url: proxyUrl, except: [] } })).toBe('plain undefined');
    expect(led).toEqual([addressOf(keys)]);
    expect(authorizations).toEqual([
      `Basic ${Buffer.from('someone:pass word').toString('base64')}`,
    ]);
    // The certificate has no such name, and the proxy was given none.
    expect(await found(named, { proxy: { url: proxyUrl, except: [] } })).toBe('connection_failed');
    expect(led.at(-1)).toMatch(/^(127\.0\.0\.1|\[::1\]):\d+$/);
    const { allowPrivateAddresses: _, ...refused } = source();
    const before = led.length;
    expect(await found(refused, { proxy: { url: proxyUrl, except: [] } })).toBe(
      'address_not_allowed',
    );
    expect(led.length).toBe(before);
  });
  it('NO_PROXY goes without; a proxy that is away is a failure, not a way around it', async () => {
    const before = led.length;
    expect(await found(source(), { proxy: { url: proxyUrl, except: ['127.0.0.0/8'] } })).toBe(
      'plain undefined',
    );
    expect(led.length).toBe(before);
    const away = { url: 'http://127.0.0.1:1', except: [] };
    expect(await found(source(), { proxy: away })).toBe('proxy_failed');
  });
  it.each<[string, string[], boolean]>([
    ['https://keys.example.com/jwks', ['*'], true],
    ['https://keys.example.com/jwks', ['example.com'], true],
    ['https://keys.example.com/jwks', ['.example.com'], true],
    ['https://keys.example.com/jwks', ['*.example.com'], true],
    ['https://keys.example.com/jwks', ['KEYS.example.com:443'], true],
    ['https://keys.example.com/jwks', ['keys.example.com:8443'], false],
    ['https://notexample.com/jwks', ['example.com'], false],
    ['https://keys.example.com/jwks', ['192.0.2.0/24'], true],
    ['https://keys.example.com/jwks', ['192.0.2.7'], true],
    ['https://keys.example.com/jwks', ['192.0.3.0/24', '2001:db8::/32', 'x/y', ''], false],
  ])('%s is reached directly with NO_PROXY %j: %s', (uri, except, expected) => {
    expect(goesDirectly({ url: proxyUrl, except }, new URL(uri), ['192.0.2.7'])).toBe(expected);
  });
});
