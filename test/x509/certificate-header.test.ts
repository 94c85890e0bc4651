import { X509Certificate } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, pemOf, type TestCertificate } from '../support/certificates.ts';
import { httpsJwks } from '../support/https-jwks.ts';
import { startOfTime, testServer } from '../support/server.ts';
import {
  type Asked,
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const forms: Record<
  string,
  { readonly header: string; readonly write: (leaf: TestCertificate) => string }
> = {
  rfc9440: { header: 'client-cert', write: ({ der }) => `:${der.toString('base64')}:` },
  nginx: { header: 'x-ssl-client-cert', write: ({ pem }) => encodeURIComponent(pem) },
  envoy: {
    header: 'x-forwarded-client-cert',
    write: ({ pem }) => `Hash=abc;Cert="${encodeURIComponent(pem)}";Subject="CN=client, O=x";URI=`,
  },
  haproxy: { header: 'x-ssl-client-cert', write: ({ der }) => der.toString('base64') },
  alb: {
    header: 'x-amzn-mtls-clientcert-leaf',
    write: ({ pem }) => encodeURIComponent(pem).replaceAll('%2B', '+'),
  },
};

let leaf: TestCertificate;
let ca: TestCertificate;
beforeAll(async () => {
  ca = await certificate({ subject: 'CN=clients', ca: true });
  leaf = await certificate({ subject: 'CN=client', issuer: ca });
});

const bound = {
  token_endpoint_auth_method: 'client_secret_basic',
  client_secret: clientSecret,
  tls_client_certificate_bound_access_tokens: true,
};

async function openBehind(
  form: string,
  trusted = '127.0.0.0/8, ::1/128',
): Promise<TokenEndpointFixture> {
  const fixture = await tokenEndpointFixture({
    env: { CLIENT_CERTIFICATE_HEADER: form, TRUSTED_PROXIES: trusted },
  });
  await fixture.server.admin('POST', 'resource-servers', {
    audience: 'https://mtls.example.com',
    cnf_methods_supported: ['x5t#S256'],
  });
  expect((await fixture.server.admin('PUT', 'clients/app', bound)).status).toBe(200);
  return fixture;
}
const behind = new Map<string, Promise<TokenEndpointFixture>>();
/** The one server of this file for a form, which is opened by who asks first. */
async function openedBehind(form: string): Promise<TokenEndpointFixture> {
  const fixture = behind.get(form) ?? openBehind(form);
  behind.set(form, fixture);
  return fixture;
}
afterAll(async () => {
  for (const fixture of behind.values()) await (await fixture).server.stop();
});
const form = { grant_type: 'client_credentials', resource: 'https://mtls.example.com' };

describe.each(Object.entries(forms))(
  'RFC 8705 §3 behind a proxy, %s',
  (name, { header, write }) => {
    let fixture: TokenEndpointFixture;
    beforeAll(async () => {
      fixture = await openedBehind(name);
    });
    const send = async (fields: Asked['fields'], more: Asked = {}) =>
      fixture.send({ form, dpop: null, ...more, fields: fields ?? [] });
    const outcome = async (fields: Asked['fields'], more: Asked = {}) =>
      fixture.outcome({ form, dpop: null, ...more, fields: fields ?? [] });

    it('binds the token to the certificate: Bearer, x5t#S256', async () => {
      const { status, body } = await send([[header, write(leaf)]]);
      const answer = JSON.parse(body) as { access_token: string; token_type: string; cnf?: object };
      expect([status, answer.token_type, answer.cnf]).toEqual([200, 'Bearer', undefined]);
      expect(decodeJwt(answer.access_token)['cnf']).toEqual({ 'x5t#S256': leaf.x5tS256 });
    });
    it.each([
      ['garbage', ['foobar']],
      ['empty base64', ['::']],
      ['a space inside', [':AA AA:']],
      ['no colons, no certificate', ['AA==']],
      [
        'END before BEGIN',
        [encodeURIComponent('-----END CERTIFICATE-----\nAAAA\n-----BEGIN CERTIFICATE-----\n')],
      ],
      ['a percent sign that encodes nothing', ['%zz']],
      ['truncated', ['cut']],
      ['two header fields', ['twice']],
    ])('%s: invalid_client, never a token, never 5xx', async (kind, [value]) => {
      const text = write(leaf);
      const values =
        kind === 'truncated'
          ? [text.slice(0, text.length / 2)]
          : kind === 'two header fields'
            ? [text, text]
            : [value ?? ''];
      expect(await outcome(values.map((one) => [header, one] as const))).toBe('401 invalid_client');
    });
    it.each<[string, (leaf: TestCertificate) => Uint8Array]>([
      ['a certificate and an octet more', ({ der }) => Buffer.concat([der, Buffer.alloc(1)])],
      ['two certificates in a row', ({ der }) => Buffer.concat([der, der])],
      ['a certificate without its last octet', ({ der }) => der.subarray(0, -1)],
      [
        'a certificate in a wrong length',
        ({ der }) => Buffer.concat([der.subarray(0, 2), Buffer.of(0xff, 0xff), der.subarray(4)]),
      ],
      [
        'a public key',
        ({ der }) => new X509Certificate(der).publicKey.export({ format: 'der', type: 'spki' }),
      ],
      ['PEM inside', ({ pem }) => Buffer.from(pem)],
      ['an empty sequence', () => Buffer.of(0x30, 0)],
      ['sequences to a depth of 2,000', () => Buffer.from('3080'.repeat(2000), 'hex')],
      ['octets that are all zero', () => Buffer.alloc(600)],
      ['text', () => Buffer.from('certificate')],
    ])('%s, well-formed in its form: invalid_client', async (_, make) => {
      const octets = Buffer.from(make(leaf));
      expect(
        await outcome([
          [header, write({ ...leaf, der: octets, pem: pemOf('CERTIFICATE', octets) })],
        ]),
      ).toBe('401 invalid_client');
    });
    it.each([12_000, 17_000, 60_000])(
      '%i octets that begin as a certificate: refused as none or by the size of the header, never 5xx',
      async (size) => {
        const octets = Buffer.alloc(size, leaf.der);
        const { status } = await send([
          [header, write({ ...leaf, der: octets, pem: pemOf('CERTIFICATE', octets) })],
        ]);
        expect([401, 431]).toContain(status);
      },
    );
    it('two forms at once, whichever and in whichever order: the proxy has not stripped what the client sent', async () => {
      for (const other of Object.values(forms).filter((one) => one.header !== header))
        for (const value of [other.write(leaf), write(leaf), 'x', '']) {
          const both = [[header, write(leaf)] as const, [other.header, value] as const];
          expect(await outcome(both)).toBe('401 invalid_client');
          expect(await outcome(both.toReversed())).toBe('401 invalid_client');
          expect(await outcome([[other.header, value]])).toBe('401 invalid_client');
        }
    });
    it('no certificate, or an empty field: invalid_request for a client whose tokens are bound to one', async () => {
      expect([await outcome([]), await outcome([[header, '']])]).toEqual([
        '400 invalid_request',
        '400 invalid_request',
      ]);
    });
    it('a DPoP proof beside certificate-bound registration: invalid_request', async () => {
      expect(await fixture.outcome({ form, fields: [[header, write(leaf)]] })).toBe(
        '400 invalid_request',
      );
    });
    it('an expired or not yet valid certificate: no token', async () => {
      const expired = await certificate({
        notAfter: startOfTime - 3_600_000,
        notBefore: startOfTime - 7_200_000,
      });
      const early = await certificate({ notBefore: startOfTime + 3_600_000 });
      for (const other of [expired, early])
        expect(await outcome([[header, write(other)]])).toBe('400 invalid_request');
    });
    it('a resource server that accepts only x5t#S256 gets no token by another method', async () => {
      await fixture.server.admin('POST', 'clients', {
        client_id: 'dpop',
        client_secret: clientSecret,
      });
      const authorization = `Basic ${Buffer.from(`dpop:${clientSecret}`).toString('base64')}`;
      expect(await fixture.outcome({ form, authorization })).toBe('400 unsupported_pop_key');
    });
  },
);

describe('what a form alone can get wrong', () => {
  const pem = () => encodeURIComponent(leaf.pem);
  const base64 = () => leaf.der.toString('base64');
  const rows: Readonly<Record<string, readonly (readonly [string, () => string])[]>> = {
    rfc9440: [
      ['a list of two', () => `:${base64()}:, :${base64()}:`],
      ['with a parameter', () => `:${base64()}:;a=1`],
      ['no colon behind', () => `:${base64()}`],
      ['a colon more', () => `::${base64()}:`],
      ['a string', () => `"${base64()}"`],
      ['base64url', () => `:${leaf.der.toString('base64url')}:`],
      ['a line break in base64', () => `:${base64().replace(/^.{64}/, '$&\t')}:`],
    ],
    nginx: [
      ['two blocks', () => pem() + pem()],
      ['text before it', () => `x${pem()}`],
      ['another label', () => pem().replaceAll('CERTIFICATE', 'TRUSTED%20CERTIFICATE')],
      ['a key', () => encodeURIComponent(leaf.keyPem)],
      ['a zero octet in base64', () => pem().replace('MII', 'MII%00')],
      ['octets that are no UTF-8', () => pem().replace('MII', 'MII%ff')],
      ['encoded twice', () => encodeURIComponent(pem())],
    ],
    envoy: [
      ['two elements', () => `Cert="${pem()}",Cert="${pem()}"`],
      ['an element before it', () => `By=x,Cert="${pem()}"`],
      ['two certificates', () => `Cert="${pem()}";Cert="${pem()}"`],
      ['two certificates, in other case', () => `Cert="${pem()}";cert="${pem()}"`],
      ['no certificate', () => 'By=x;Hash=abc;Subject="CN=client"'],
      ['a certificate inside a quoted subject', () => `Subject="CN=x;Cert=${pem()}"`],
      [
        'a certificate after an escaped quote in a subject',
        () => `Subject="CN=x\\";Cert=${pem()};By=y"`,
      ],
      ['a quote that does not end', () => `Subject="CN=x;Cert="${pem()}"`],
      ['the chain alone', () => `Chain="${pem()}"`],
      ['an empty certificate', () => 'Cert=""'],
    ],
    haproxy: [
      ['colons', () => `:${base64()}:`],
      ['two in a list', () => `${base64()},${base64()}`],
      ['base64url', () => leaf.der.toString('base64url')],
      ['padding in the middle', () => `${base64().slice(0, 40)}====${base64().slice(40)}`],
    ],
    alb: [
      ['the whole chain', () => pem() + pem()],
      ['a key', () => encodeURIComponent(leaf.keyPem)],
      ['half an escape', () => `${pem()}%0`],
    ],
  };
  describe.each(Object.entries(rows))('%s', (name, all) => {
    let fixture: TokenEndpointFixture;
    beforeAll(async () => {
      fixture = await openedBehind(name);
    });
    it.each(all)('%s: invalid_client', async (_, write) => {
      expect(
        await fixture.outcome({ form, dpop: null, fields: [[forms[name]?.header ?? '', write()]] }),
      ).toBe('401 invalid_client');
    });
  });
  it('RFC 9440 §2.3: Client-Cert-Chain is not looked at', async () => {
    const fixture = await openedBehind('rfc9440');
    const chain = ['client-cert-chain', 'garbage'] as const;
    const alone = await fixture.outcome({ form, dpop: null, fields: [chain] });
    const beside = await fixture.outcome({
      form,
      dpop: null,
      fields: [['client-cert', `:${base64()}:`], chain],
    });
    expect([alone, beside]).toEqual(['400 invalid_request', '200 x5t#S256']);
  });
});

describe('who may say it', () => {
  it('from a peer that is no trusted proxy the header is refused', async () => {
    const fixture = await openBehind('rfc9440', '192.0.2.0/24');
    const refused = await fixture.outcome({
      form,
      dpop: null,
      fields: [['client-cert', forms['rfc9440']?.write(leaf) ?? '']],
    });
    await fixture.server.stop();
    expect(refused).toBe('401 invalid_client');
  });
  it('without the setting no header is looked at', async () => {
    const fixture = await tokenEndpointFixture();
    await fixture.server.admin('PUT', 'clients/app', bound);
    const outcome = await fixture.outcome({
      dpop: null,
      fields: [
        ['client-cert', forms['rfc9440']?.write(leaf) ?? ''],
        ['x-ssl-client-verify', 'SUCCESS'],
      ],
    });
    const { body } = await fixture.server.get('/.well-known/oauth-authorization-server');
    await fixture.server.stop();
    expect(outcome).toBe('400 invalid_request');
    expect(body.tls_client_certificate_bound_access_tokens).toBeUndefined();
    expect(body.token_endpoint_auth_methods_supported).not.toContain('tls_client_auth');
  });
  it.each([
    [
      { CLIENT_CERTIFICATE_HEADER: 'apache', TRUSTED_PROXIES: '127.0.0.0/8' },
      'CLIENT_CERTIFICATE_HEADER',
    ],
    [{ CLIENT_CERTIFICATE_HEADER: 'nginx' }, 'TRUSTED_PROXIES'],
    [{ TRUSTED_PROXIES: 'localhost' }, 'TRUSTED_PROXIES'],
    [{ TLS_CERT_FILE: '/x' }, 'TLS_KEY_FILE'],
  ])('%o stops the start and names %s', async (env, name) => {
    await expect(testServer({ env: env as unknown as Record<string, string> })).rejects.toThrow(
      name,
    );
  });
});

describe('RFC 8705 §2: authentication by certificate', () => {
  let fixture: TokenEndpointFixture;
  beforeAll(async () => {
    fixture = await openedBehind('nginx');
  });
  const by = async (
    client_id: string | undefined,
    other: TestCertificate | undefined,
    verify = 'SUCCESS',
  ) =>
    fixture.outcome({
      authorization: null,
      dpop: null,
      form: { ...form, client_id },
      fields: [
        ...(other === undefined
          ? []
          : [['x-ssl-client-cert', encodeURIComponent(other.pem)] as const]),
        ['x-ssl-client-verify', verify] as const,
      ],
    });
  let counter = 0;
  const register = async (members: object) => {
    const client_id = `tls-${counter++}`;
    const { status, body } = await fixture.server.admin('POST', 'clients', {
      client_id,
      tls_client_certificate_bound_access_tokens: true,
      ...members,
    });
    expect([status, body.client_secret]).toEqual([201, undefined]);
    return client_id;
  };
  const pki = async (members: object) =>
    register({ token_endpoint_auth_method: 'tls_client_auth', ...members });

  it.each([
    [
      'subject_dn',
      { tls_client_auth_subject_dn: 'CN=device,O=Example\\, Inc.,C=NO' },
      { subject: 'C=NO, O="Example, Inc.", CN=device' },
    ],
    [
      'subject_dn in the order of the certificate',
      { tls_client_auth_subject_dn: 'C=NO,O=Example,CN=device' },
      { subject: 'C=NO, O=Example, CN=device' },
    ],
    [
      'subject_dn in other case and spacing',
      { tls_client_auth_subject_dn: 'cn=DEVICE,o=Big  Example,c=no' },
      { subject: 'C=NO, O=Big Example, CN=device' },
    ],
    [
      'san_dns without case',
      { tls_client_auth_san_dns: 'Device.Example.com' },
      { names: [{ type: 'dns', value: 'device.example.COM' }] },
    ],
    [
      'san_uri',
      { tls_client_auth_san_uri: 'spiffe://example/Device' },
      { names: [{ type: 'url', value: 'spiffe://example/Device' }] },
    ],
    [
      'san_ip, IPv4',
      { tls_client_auth_san_ip: '192.0.2.7' },
      { names: [{ type: 'ip', value: '192.0.2.7' }] },
    ],
    [
      'san_ip, IPv6 in another spelling',
      { tls_client_auth_san_ip: '2001:0db8:0:0:0:0:0:2c' },
      { names: [{ type: 'ip', value: '2001:db8::2c' }] },
    ],
    [
      'san_email, the domain without case',
      { tls_client_auth_san_email: 'device@EXAMPLE.com' },
      { names: [{ type: 'email', value: 'device@example.com' }] },
    ],
  ] as const)('tls_client_auth by %s', async (_, members, subject) => {
    const client = await pki(members);
    const good = await certificate({ issuer: ca, ...(subject as object) });
    expect(await by(client, good)).toBe('200 x5t#S256');
    expect(await by(client, good, 'FAILED:unable to verify')).toBe('401 invalid_client');
    expect(await by(client, leaf)).toBe('401 invalid_client');
    expect(await by(client, undefined)).toBe('401 invalid_client');
    expect(await by(undefined, good)).toBe('401 invalid_client');
  });
  it('a subject with a NUL, an expired certificate, another case in a URI: refused', async () => {
    const victim = await pki({ tls_client_auth_subject_dn: 'CN=victim' });
    const uri = await pki({ tls_client_auth_san_uri: 'spiffe://example/Device' });
    expect(await by(victim, await certificate({ issuer: ca, subject: 'CN=victim\0.evil' }))).toBe(
      '401 invalid_client',
    );
    expect(
      await by(
        victim,
        await certificate({
          issuer: ca,
          subject: 'CN=victim',
          notBefore: startOfTime - 2000,
          notAfter: startOfTime - 1000,
        }),
      ),
    ).toBe('401 invalid_client');
    expect(
      await by(
        uri,
        await certificate({
          issuer: ca,
          names: [{ type: 'url', value: 'spiffe://example/device' }],
        }),
      ),
    ).toBe('401 invalid_client');
  });
  it.each([
    [
      'two selectors',
      { tls_client_auth_subject_dn: 'CN=a', tls_client_auth_san_dns: 'a' },
      'tls_client_auth_san_dns',
    ],
    ['none', {}, 'tls_client_auth_subject_dn'],
    ['a malformed address', { tls_client_auth_san_ip: 'x' }, 'tls_client_auth_san_ip'],
    ['a malformed name', { tls_client_auth_subject_dn: 'x' }, 'tls_client_auth_subject_dn'],
  ])('registration with %s is refused', async (_, members, member) => {
    const { status, body } = await fixture.server.admin('POST', 'clients', {
      token_endpoint_auth_method: 'tls_client_auth',
      ...members,
    });
    expect([status, body.member]).toEqual([400, member]);
  });
  it('self_signed_tls_client_auth: the very certificate that is registered, as first in x5c', async () => {
    const [mine, other] = [await certificate(), await certificate()];
    const x5c = (...certificates: TestCertificate[]) => ({
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: {
        keys: [
          {
            ...(certificates[0] as TestCertificate).jwk,
            x5c: certificates.map(({ der }) => der.toString('base64')),
          },
        ],
      },
    });
    const client = await register(x5c(mine));
    expect([
      await by(client, mine, 'FAILED:self-signed'),
      await by(client, other),
      await by(client, undefined),
    ]).toEqual(['200 x5t#S256', '401 invalid_client', '401 invalid_client']);
    expect(await by(await register(x5c(other, mine)), mine)).toBe('401 invalid_client');
  });
  it('self_signed_tls_client_auth by jwks_uri: its errors refuse, a renewed certificate is taken up', async () => {
    const [old, renewed] = [await certificate(), await certificate()];
    const listed = ({ jwk, der }: TestCertificate) => ({ ...jwk, x5c: [der.toString('base64')] });
    const jwks = await httpsJwks([listed(old)]);
    const near = await tokenEndpointFixture({
      env: {
        CLIENT_CERTIFICATE_HEADER: 'nginx',
        TRUSTED_PROXIES: '127.0.0.0/8, ::1/128',
        JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true',
      },
    });
    const register = async (client_id: string, jwks_uri: string) =>
      near.server.admin('POST', 'clients', {
        client_id,
        jwks_uri,
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        tls_client_certificate_bound_access_tokens: true,
      });
    await near.server.admin('POST', 'resource-servers', {
      audience: 'https://mtls.example.com',
      cnf_methods_supported: ['x5t#S256'],
    });
    await register('remote', jwks.uri);
    await register('nowhere', 'https://127.0.0.1:1/jwks');
    const ask = async (client_id: string, { pem }: TestCertificate) =>
      near.outcome({
        authorization: null,
        dpop: null,
        form: { ...form, client_id },
        fields: [['x-ssl-client-cert', encodeURIComponent(pem)]],
      });
    const first = [
      await ask('remote', old),
      await ask('remote', renewed),
      await ask('nowhere', old),
    ];
    jwks.keys.current = [listed(old), listed(renewed)];
    // Past the cool-down, within which no certificate, however new, causes a request.
    near.server.clock.now += 61_000;
    const second = [await ask('remote', renewed), await ask('remote', old)];
    await near.server.stop();
    await jwks.close();
    expect([first, second]).toEqual([
      ['200 x5t#S256', '401 invalid_client', '401 invalid_client'],
      ['200 x5t#S256', '200 x5t#S256'],
    ]);
  });
});
