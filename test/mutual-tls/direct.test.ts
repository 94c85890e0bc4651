import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateOptions,
  certificate,
  clientAuth,
  serverAuth,
  type TestCertificate,
} from '../support/certificates.ts';
import { der, derName } from '../support/der.ts';
import { rsa4104, testKey } from '../support/keys.ts';
import { freePort } from '../support/ports.ts';
import { basic, formBody, type TestServer, testServer } from '../support/server.ts';
import { clientSecret, outcomeOf } from '../support/token-endpoint-fixture.ts';

const audience = 'https://mtls.example.com';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
const file = (name: string, ...contents: string[]) => {
  writeFileSync(join(folder, name), contents.join(''));
  return join(folder, name);
};

let server: TestServer;
let port: number;
let ca: TestCertificate;
let leaf: TestCertificate;
let serverCertificate: TestCertificate;
const clock = { now: Date.now() };
const names = [{ type: 'ip', value: '127.0.0.1' }] as const;

beforeAll(async () => {
  ca = await certificate({ subject: 'CN=clients', ca: true });
  leaf = await certificate({ subject: 'CN=device', issuer: ca });
  serverCertificate = await certificate({ subject: 'CN=as', names: [...names] });
  port = await freePort();
  server = await testServer({
    clock,
    env: {
      TLS_HOST: '127.0.0.1',
      TLS_PORT: String(port),
      TLS_CERT_FILE: file('cert.pem', serverCertificate.pem),
      TLS_KEY_FILE: file('key.pem', serverCertificate.keyPem),
      TLS_CLIENT_CA_FILE: file('ca.pem', ca.pem),
    },
  });
  await server.admin('POST', 'resource-servers', {
    audience,
    cnf_methods_supported: ['x5t#S256', 'jkt'],
  });
  await server.admin('POST', 'clients', {
    client_id: 'secret',
    client_secret: clientSecret,
    tls_client_certificate_bound_access_tokens: true,
  });
  await server.admin('POST', 'clients', { client_id: 'plain', client_secret: clientSecret });
  await server.admin('POST', 'clients', {
    client_id: 'pki',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=device',
    tls_client_certificate_bound_access_tokens: true,
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function send(
  client: { cert?: string; key?: string },
  form: Record<string, string>,
  headers: Record<string, string> = {},
  path = '/token',
  to = port,
) {
  const options: RequestOptions = {
    host: '127.0.0.1',
    port: to,
    path,
    method: 'POST',
    ca: serverCertificate.pem,
    agent: false,
    ...client,
  };
  const outgoing = request({
    ...options,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });
  outgoing.end(formBody({ grant_type: 'client_credentials', ...form }));
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: await text(response),
  };
}
const identity = ({ pem, keyPem }: TestCertificate) => ({ cert: pem, key: keyPem });

describe('RFC 8705 on the TLS listener', () => {
  it('§5: the metadata names it', async () => {
    const { body } = await server.get('/.well-known/oauth-authorization-server');
    expect(body).toMatchObject({
      tls_client_certificate_bound_access_tokens: true,
      mtls_endpoint_aliases: {
        token_endpoint: `https://as.example.com:${port}/token`,
        revocation_endpoint: `https://as.example.com:${port}/revoke`,
      },
    });
    expect(body.token_endpoint_auth_methods_supported).toContain('self_signed_tls_client_auth');
  });
  it('§3: binds the token to the certificate of the handshake, whatever authenticates the client', async () => {
    const { body } = await send(
      identity(leaf),
      {},
      { authorization: basic('secret', clientSecret) },
    );
    const { access_token: token, token_type: type } = JSON.parse(body) as {
      access_token: string;
      token_type: string;
    };
    expect([type, decodeJwt(token)['cnf']]).toEqual(['Bearer', { 'x5t#S256': leaf.x5tS256 }]);
  });
  it('§2.1: tls_client_auth by the chain and the subject', async () => {
    expect(outcomeOf(await send(identity(leaf), { client_id: 'pki' }))).toBe('200 x5t#S256');
  });
  it('§2.1: the same subject without the chain, no certificate, another one: invalid_client', async () => {
    const selfMade = await certificate({ subject: 'CN=device' });
    const other = await certificate({ subject: 'CN=other', issuer: ca });
    const outcomes = [
      await send(identity(selfMade), { client_id: 'pki' }),
      await send({}, { client_id: 'pki' }),
      await send(identity(other), { client_id: 'pki' }),
    ];
    expect(outcomes.map((answer) => outcomeOf(answer))).toEqual(
      Array.from({ length: 3 }, () => '401 invalid_client'),
    );
  });
  it('a chain with the certificate of a victim appended: only the leaf counts (CVE-2023-2422)', async () => {
    const attacker = await certificate({ subject: 'CN=attacker', issuer: ca });
    expect(
      outcomeOf(
        await send({ cert: attacker.pem + leaf.pem, key: attacker.keyPem }, { client_id: 'pki' }),
      ),
    ).toBe('401 invalid_client');
  });
  describe('§2.1: chains', () => {
    const days = (count: number) => clock.now + count * 86_400_000;
    const valid = { notBefore: days(-1), notAfter: days(1) };
    const authority = async (
      subject: string,
      issuer: TestCertificate,
      more: CertificateOptions = {},
    ) => certificate({ subject, issuer, ca: true, ...valid, ...more });
    const device = async (issuer: TestCertificate, more: CertificateOptions = {}) =>
      certificate({ subject: 'CN=device', issuer, ...valid, ...more });
    /** What `tls_client_auth` says of the leaf, sent with these certificates behind it. */
    const outcome = async (own: TestCertificate, ...others: readonly TestCertificate[]) =>
      outcomeOf(
        await send(
          { cert: [own, ...others].map(({ pem }) => pem).join(''), key: own.keyPem },
          { client_id: 'pki' },
        ),
      );
    const [good, bad] = ['200 x5t#S256', '401 invalid_client'];

    it('an authority between, when it comes along, in any order and with its root', async () => {
      const upper = await authority('CN=upper', ca);
      const lower = await authority('CN=lower', upper);
      const own = await device(lower);
      expect(await outcome(own, lower, upper)).toBe(good);
      expect(await outcome(own, upper, lower)).toBe(good);
      expect(await outcome(own, lower, upper, ca)).toBe(good);
      expect(await outcome(own, lower)).toBe(bad);
      expect(await outcome(own)).toBe(bad);
    });
    it.each<[string, CertificateOptions]>([
      ['expired', { notBefore: days(-2), notAfter: days(-1) }],
      ['not valid yet', { notBefore: days(1), notAfter: days(2) }],
      ['no authority at all', { ca: false }],
    ])('an authority between that is %s', async (_, more) => {
      const between = await authority('CN=between', ca, more);
      expect(await outcome(await device(between), between)).toBe(bad);
    });
    it('an authority between that nobody signed, by the name of one that is known', async () => {
      const made = await certificate({ subject: 'CN=clients', ca: true, ...valid });
      expect(await outcome(await device(made), made)).toBe(bad);
      expect(await outcome(await device(made), ca)).toBe(bad);
    });
    it('more authorities between than the first one allows (RFC 5280 §4.2.1.9)', async () => {
      const upper = await authority('CN=upper', ca, { pathLength: 0 });
      const lower = await authority('CN=lower', upper);
      expect(await outcome(await device(upper), upper)).toBe(good);
      expect(await outcome(await device(lower), lower, upper)).toBe(bad);
    });
    it('a long chain that holds', async () => {
      const chain = [ca];
      for (let count = 0; count < 12; count++)
        chain.unshift(await authority(`CN=level ${count}`, chain[0] ?? ca));
      expect(await outcome(await device(chain[0] ?? ca), ...chain)).toBe(good);
    });
    it('a chain longer than TLS takes ends the connection, and nothing but that', async () => {
      const filler = Array.from({ length: 400 }, () => leaf);
      await expect(outcome(leaf, ...filler)).rejects.toThrow(/alert|ECONNRESET|EPIPE|hang up/);
      expect(await outcome(leaf)).toBe(good);
    });
    it.each([
      ['servers only', [serverAuth], bad],
      ['clients', [clientAuth], good],
      ['clients and servers', [serverAuth, clientAuth], good],
    ])('a leaf that is for %s (RFC 5280 §4.2.1.12)', async (_, usages, expected) => {
      const limited = await certificate({ subject: 'CN=device', issuer: ca, usages });
      expect(outcomeOf(await send(identity(limited), { client_id: 'pki' }))).toBe(expected);
    });
    it('a leaf that is expired or not valid yet: no name, no binding', async () => {
      for (const more of [
        { notBefore: days(-2), notAfter: days(-1) },
        { notBefore: days(1), notAfter: days(2) },
      ]) {
        const own = await device(ca, more);
        expect(await outcome(own)).toBe(bad);
        const authorization = basic('secret', clientSecret);
        expect(outcomeOf(await send(identity(own), {}, { authorization }))).toBe(
          '400 invalid_request',
        );
      }
    });
  });

  describe('certificates that are odd or too long: the error of the RFC, never 5xx', () => {
    const authorization = basic('secret', clientSecret);
    it.each<[string, Uint8Array<ArrayBuffer>]>([
      ['TeletexString beyond ASCII', derName([['CN', 'teletex', [0xff, 0xfe]]])],
      ['a value that is no string', derName([['CN', 'bits', [0, 1]]])],
      ['no name at all', derName()],
    ])('a subject with %s is bound, and known by no name', async (_, subject) => {
      const own = await certificate({ subject, issuer: ca });
      expect(outcomeOf(await send(identity(own), {}, { authorization }))).toBe('200 x5t#S256');
      expect(outcomeOf(await send(identity(own), { client_id: 'pki' }))).toBe('401 invalid_client');
    });
    it('alternative names that are none', async () => {
      const own = await certificate({
        issuer: ca,
        rawNames: [der(0x30, der(0x87, Buffer.alloc(5)), Uint8Array.of(0x82, 9, 1))],
      });
      expect(outcomeOf(await send(identity(own), {}, { authorization }))).toBe('200 x5t#S256');
    });
    it('a certificate of 20,000 octets', async () => {
      const own = await certificate({
        issuer: ca,
        rawNames: [der(0x30, der(0x86, Buffer.alloc(20_000, 'x')))],
      });
      expect(outcomeOf(await send(identity(own), {}, { authorization }))).toBe(
        '401 invalid_client',
      );
      expect(outcomeOf(await send(identity(own), { client_id: 'pki' }))).toBe('401 invalid_client');
    });
  });

  it.each([
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'secp521r1' })],
    ['Ed448', () => generateKeyPairSync('ed448')],
    ['RSA of 4104 bits', rsa4104],
    ['ML-DSA-65', () => generateKeyPairSync('ml-dsa-65')],
  ] as const)(
    '§3: a certificate with a key of %s, proven in a handshake, is bound and authenticates',
    async (_, make) => {
      const own = await certificate({ subject: 'CN=device', issuer: ca, key: make() });
      const { body } = await send(identity(own), { client_id: 'pki' });
      expect(decodeJwt((JSON.parse(body) as { access_token: string }).access_token)['cnf']).toEqual(
        { 'x5t#S256': own.x5tS256 },
      );
    },
  );

  it('a certificate header is not looked at, on either listener', async () => {
    const header = { 'client-cert': `:${leaf.der.toString('base64')}:` };
    expect(outcomeOf(await send({}, { client_id: 'pki' }, header))).toBe('401 invalid_client');
    expect(
      (await server.post('/token', { grant_type: 'client_credentials', client_id: 'pki' }, header))
        .body.error,
    ).toBe('invalid_client');
  });
  it('a DPoP proof for the alias works there', async () => {
    const key = await testKey();
    const dpop = await key.proof({
      htu: `https://as.example.com:${port}/token`,
      iat: Math.floor(clock.now / 1000),
    });
    expect(
      outcomeOf(await send({}, {}, { authorization: basic('plain', clientSecret), dpop })),
    ).toBe(`200 ${key.jkt}`);
  });
  it('RFC 7009 §2: the alias for revocations takes the certificate too', async () => {
    const answers = [
      await send(identity(leaf), { client_id: 'pki', token: 'x' }, {}, '/revoke'),
      await send({}, { client_id: 'pki', token: 'x' }, {}, '/revoke'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 401]);
  });
  it('takes up a renewed certificate without a restart, and keeps the old one when the new one is bad', async () => {
    const renewed = await certificate({ subject: 'CN=as, O=renewed', names: [...names] });
    file('cert.pem', 'not a certificate');
    await sleep(400);
    expect(await presented()).toBe(serverCertificate.der.toString('base64'));
    file('cert.pem', renewed.pem);
    file('key.pem', renewed.keyPem);
    for (
      let tries = 0;
      tries < 50 && (await presented()) !== renewed.der.toString('base64');
      tries++
    )
      await sleep(100);
    expect(await presented()).toBe(renewed.der.toString('base64'));
  });
});

it('RFC 8705 §7.4: without anchors of its own it believes no authority, not even those that the system trusts', async () => {
  const systemTrusts = getCACertificates('default');
  setDefaultCACertificates([...systemTrusts, ca.pem]);
  const to = await freePort();
  const other = await testServer({
    clock,
    env: {
      TLS_HOST: '127.0.0.1',
      TLS_PORT: String(to),
      TLS_CERT_FILE: file('other-cert.pem', serverCertificate.pem),
      TLS_KEY_FILE: file('other-key.pem', serverCertificate.keyPem),
    },
  });
  await other.admin('POST', 'resource-servers', { audience, cnf_methods_supported: ['x5t#S256'] });
  await other.admin('POST', 'clients', {
    client_id: 'pki',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=device',
    tls_client_certificate_bound_access_tokens: true,
  });
  const outcome = outcomeOf(await send(identity(leaf), { client_id: 'pki' }, {}, '/token', to));
  const { body } = await other.get('/.well-known/oauth-authorization-server');
  await other.stop();
  setDefaultCACertificates(systemTrusts);
  expect(outcome).toBe('401 invalid_client');
  // Nobody can authenticate by a name, so the metadata does not offer it.
  for (const endpoint of ['token', 'revocation'])
    expect(
      (body[`${endpoint}_endpoint_auth_methods_supported`] as string[]).filter((method) =>
        method.includes('tls'),
      ),
    ).toEqual(['self_signed_tls_client_auth']);
});

/** The certificate that the server shows now. */
async function presented(): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return raw.toString('base64');
}
