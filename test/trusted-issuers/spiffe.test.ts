import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateOptions,
  certificate,
  keyUsages,
  type TestCertificate,
} from '../support/certificates.ts';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { audience, openPlatform, type Platform, shortly } from '../support/platform.ts';
import { freePort } from '../support/ports.ts';
import { formBody, issuer, startOfTime } from '../support/server.ts';
import { outcomeOf } from '../support/token-endpoint-fixture.ts';

const seconds = startOfTime / 1000;
const jwtSpiffe = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe';
const worker = 'spiffe://prod.example/ns/orders/sa/worker';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-spiffe-'));
const file = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const real = Date.now();
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 });
const leafUsage = keyUsages.digitalSignature | keyUsages.keyAgreement;

let [platform, svidKey, next, ca, otherCa, tls]: [
  Platform,
  TestKey,
  TestKey,
  TestCertificate,
  TestCertificate,
  TestCertificate,
] = [] as never;
let [endpoint, port]: [HttpsJwks, number] = [] as never;
const bundle = (...keys: readonly TestKey[]) => ({
  keys: [
    { ...ca.jwk, use: 'x509-svid', x5c: [ca.der.toString('base64')] },
    ...keys.map(({ jwk }, index) => ({ ...jwk, use: 'jwt-svid', kid: `svid-${index}` })),
  ],
  spiffe_sequence: 1,
  spiffe_refresh_hint: 300,
});

beforeAll(async () => {
  [svidKey, next] = [await testKey(), await testKey()];
  const authority = { ca: true, notBefore: real - 86_400_000 };
  ca = await certificate({ subject: 'CN=spire', ...authority });
  otherCa = await certificate({ subject: 'CN=spire', ...authority });
  tls = await certificate({ subject: 'CN=as', names: [{ type: 'ip', value: '127.0.0.1' }] });
  endpoint = await httpsJwks(bundle(svidKey).keys);
  port = await freePort();
  file('bundle.json', JSON.stringify(bundle(svidKey)));
  platform = await openPlatform({
    clock: { now: real },
    env: {
      TRUST_BUNDLE_DIRECTORY: folder,
      TLS_HOST: '127.0.0.1',
      TLS_PORT: String(port),
      TLS_CERT_FILE: file('cert.pem', tls.pem),
      TLS_KEY_FILE: file('key.pem', tls.keyPem),
    },
  });
  const { admin } = platform.server;
  const made = async (path: string, body: object) => {
    const answer = await admin('POST', path, body);
    expect([answer.status, answer.body.errors]).toEqual([201, undefined]);
    return answer.body.id as string;
  };
  await made('resource-servers', {
    audience: 'https://mtls.example.com',
    cnf_methods_supported: ['x5t#S256', 'jkt'],
    scopes: ['read'],
  });
  const bound = { tls_client_certificate_bound_access_tokens: true };
  for (const [client_id, token_endpoint_auth_method, more] of [
    ['by-jwt', 'spiffe_jwt', {}],
    ['by-x509', 'spiffe_x509', bound],
    ['by-x509-with-dpop', 'spiffe_x509', {}],
    ['spiffe://prod.example/ns/named', 'spiffe_x509', bound],
  ] as const)
    await made('clients', { client_id, token_endpoint_auth_method, scope: 'read', ...more });
  const trust = async (domain: string, source: object) =>
    made('trusted-issuers', { issuer: `spiffe://${domain}`, purposes: ['workload'], ...source });
  const rules = async (id: string, domain: string) => {
    for (const [sub, client_id] of [
      [`spiffe://${domain}/ns/orders/*`, 'by-jwt'],
      [`spiffe://${domain}/x509/*`, 'by-x509'],
      [`spiffe://${domain}/dpop/*`, 'by-x509-with-dpop'],
      [`spiffe://${domain}/ns/named`, 'spiffe://prod.example/ns/named'],
      [`spiffe://${domain}/worker`, 'worker'],
    ])
      await made(`trusted-issuers/${id}/rules`, { claims: { sub }, client_id });
  };
  await rules(
    await trust('prod.example', { trust_bundle: { keys: bundle(svidKey).keys } }),
    'prod.example',
  );
  await rules(await trust('file.example', { trust_bundle_file: 'bundle.json' }), 'file.example');
  const remote = { trust_bundle_uri: endpoint.uri, allow_private_addresses: true };
  await rules(await trust('remote.example', remote), 'remote.example');
});
afterAll(async () => {
  await platform.server.stop();
  await endpoint.close();
  rmSync(folder, { recursive: true });
});

const now = () => Math.floor(platform.server.clock.now / 1000);
const svid = async (sub: string, more: object = {}, by = svidKey, kid = 'svid-0') =>
  by.sign({ sub, aud: [issuer], exp: now() + 300, ...more }, { kid, typ: 'JWT' });
const byJwt = async (token: string, form: Record<string, string> = {}) =>
  shortly(
    await platform.authenticate(token, {
      form: { client_assertion_type: jwtSpiffe, resource: audience, ...form },
    }),
  );

describe('a JWT-SVID (draft-ietf-oauth-spiffe-client-auth §3.1)', () => {
  it.each<[string, () => Promise<string>, string, Record<string, string>?]>([
    ['of the bundle by value', async () => svid(worker), '200 by-jwt'],
    [
      'of the bundle in a file',
      async () => svid('spiffe://file.example/ns/orders/x'),
      '200 by-jwt',
    ],
    [
      'of the bundle by https',
      async () => svid('spiffe://remote.example/ns/orders/x'),
      '200 by-jwt',
    ],
    [
      'with its SPIFFE ID as client_id',
      async () => svid(worker),
      '200 by-jwt',
      { client_id: worker },
    ],
    [
      'by the assertion type of RFC 7523',
      async () => svid(worker),
      '200 by-jwt',
      { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' },
    ],
    ['for a workload_jwt client', async () => svid('spiffe://prod.example/worker'), '200 worker'],
    [
      'with another SPIFFE ID as client_id',
      async () => svid(worker),
      '401 invalid_client',
      { client_id: 'spiffe://prod.example/ns/orders/sa/api' },
    ],
    [
      'of a trust domain that is not trusted',
      async () => svid('spiffe://evil.example/ns/orders/x'),
      '401 invalid_client',
    ],
    [
      'with a trust domain in capitals',
      async () => svid('spiffe://PROD.example/ns/orders/x'),
      '401 invalid_client',
    ],
    ['signed by another key', async () => svid(worker, {}, next), '401 invalid_client'],
    [
      'for somebody else besides',
      async () => svid(worker, { aud: [issuer, 'x'] }),
      '401 invalid_client',
    ],
    ['without exp', async () => svid(worker, { exp: undefined }), '401 invalid_client'],
    [
      'that says no SPIFFE ID',
      async () => svid('worker', { iss: 'spiffe://prod.example' }),
      '401 invalid_client',
    ],
    [
      'of another trust domain than its iss',
      async () => svid('spiffe://file.example/ns/orders/x', { iss: 'spiffe://prod.example' }),
      '401 invalid_client',
    ],
    ['for an X.509 client', async () => svid('spiffe://prod.example/x509/a'), '401 invalid_client'],
  ])('%s', async (_, token, expected, form) => {
    expect(await byJwt(await token(), form)).toBe(expected);
  });
  it('seconds of its life are checked, and of another start it knows nothing', async () => {
    expect(seconds).toBeGreaterThan(0);
    expect(await byJwt(await svid(worker, { exp: now() + 90_000 }))).toBe('401 invalid_client');
  });
});

describe('a trust bundle in a file', () => {
  const ask = async (by: TestKey, kid: string) =>
    byJwt(await svid('spiffe://file.example/ns/orders/x', {}, by, kid));
  const later = () => {
    platform.server.clock.now += 61_000;
  };
  it('half written, it changes nothing; whole, it counts within a minute, and what it lacks no more', async () => {
    expect(await ask(svidKey, 'svid-0')).toBe('200 by-jwt');
    file('bundle.json', JSON.stringify(bundle(next)).slice(0, 200));
    later();
    expect([await ask(svidKey, 'svid-0'), await ask(next, 'svid-0')]).toEqual([
      '200 by-jwt',
      '401 invalid_client',
    ]);
    file('bundle.json', JSON.stringify(bundle(next)));
    later();
    expect([await ask(next, 'svid-0'), await ask(svidKey, 'svid-0')]).toEqual([
      '200 by-jwt',
      '401 invalid_client',
    ]);
    file('bundle.json', JSON.stringify(bundle(svidKey, next)));
    later();
    expect([await ask(svidKey, 'svid-0'), await ask(next, 'svid-1')]).toEqual([
      '200 by-jwt',
      '200 by-jwt',
    ]);
  });
  it('half written from the beginning: 503, not 401', async () => {
    file('half.json', JSON.stringify(bundle(svidKey)).slice(0, 200));
    await platform.server.admin('POST', 'trusted-issuers', {
      issuer: 'spiffe://half.example',
      purposes: ['workload'],
      trust_bundle_file: 'half.json',
    });
    const token = await svid('spiffe://half.example/x');
    expect(await byJwt(token)).toBe('503 temporarily_unavailable');
    file('half.json', JSON.stringify(bundle(svidKey)));
    later();
    expect(await byJwt(await svid('spiffe://half.example/x'))).toBe('401 invalid_client');
  });
});

describe('an X.509-SVID by mutual TLS (draft-ietf-oauth-spiffe-client-auth §3.2)', () => {
  const leaf = async (uri: string, options: CertificateOptions = {}) =>
    certificate({
      issuer: ca,
      names: [{ type: 'url', value: uri }],
      keyUsage: leafUsage,
      notBefore: real - 3_600_000,
      notAfter: real + 86_400_000,
      ...options,
    });
  const send = async (
    { pem, keyPem }: TestCertificate,
    client_id: string,
    { dpop, resource = 'https://mtls.example.com' }: { dpop?: string; resource?: string } = {},
  ) => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path: '/token',
      method: 'POST',
      ca: tls.pem,
      cert: pem,
      key: keyPem,
      agent: false,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(dpop !== undefined && { dpop }),
      },
    });
    outgoing.end(formBody({ grant_type: 'client_credentials', client_id, resource }));
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return outcomeOf({
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await text(response),
    } as never);
  };
  const id = 'spiffe://prod.example/x509/a';
  it.each<[string, () => Promise<TestCertificate>, string, string]>([
    ['for a client by its name', async () => leaf(id), 'by-x509', '200 x5t#S256'],
    ['for a client by its SPIFFE ID', async () => leaf(id), id, '200 x5t#S256'],
    [
      'for a client whose name is the SPIFFE ID',
      async () => leaf('spiffe://prod.example/ns/named'),
      'spiffe://prod.example/ns/named',
      '200 x5t#S256',
    ],
    [
      'of a bundle by https',
      async () => leaf('spiffe://remote.example/x509/a'),
      'by-x509',
      '200 x5t#S256',
    ],
    [
      'for another client',
      async () => leaf('spiffe://prod.example/ns/named'),
      'by-x509',
      '401 invalid_client',
    ],
    [
      'of another authority of that name',
      async () => leaf(id, { issuer: otherCa }),
      'by-x509',
      '401 invalid_client',
    ],
    [
      'that is its own authority',
      async () => certificate({ names: [{ type: 'url', value: id }], keyUsage: leafUsage }),
      'by-x509',
      '401 invalid_client',
    ],
    [
      'of another trust domain',
      async () => leaf('spiffe://evil.example/x509/a'),
      'by-x509',
      '401 invalid_client',
    ],
    [
      'that met no rule',
      async () => leaf('spiffe://prod.example/elsewhere'),
      'by-x509',
      '401 invalid_client',
    ],
    [
      'of the trust domain itself',
      async () => leaf('spiffe://prod.example'),
      'by-x509',
      '401 invalid_client',
    ],
    [
      'with two URIs',
      async () =>
        leaf(id, {
          names: [
            { type: 'url', value: id },
            { type: 'url', value: `${id}b` },
          ],
        }),
      'by-x509',
      '401 invalid_client',
    ],
    ['without key usage', async () => leaf(id, { keyUsage: 0 }), 'by-x509', '401 invalid_client'],
    [
      'that may sign certificates',
      async () => leaf(id, { keyUsage: leafUsage | keyUsages.keyCertSign }),
      'by-x509',
      '401 invalid_client',
    ],
    ['that is an authority', async () => leaf(id, { ca: true }), 'by-x509', '401 invalid_client'],
    [
      'that has expired',
      async () => leaf(id, { notAfter: real - 60_000 }),
      'by-x509',
      '401 invalid_client',
    ],
    ['for a client by JWT', async () => leaf(worker), 'by-jwt', '401 invalid_client'],
  ])('%s', async (_, made, client, expected) => {
    expect(await send(await made(), client)).toBe(expected);
  });
  it.each<[string, string, CertificateOptions]>([
    ['on P-256', '200', {}],
    // Others can sign with it, too (FIPS 186-5 §A.1.1).
    ['of RSA with the exponent 3', '401 invalid_client', { key: weakRsa }],
  ])('with a DPoP proof for the token, a key %s: %s', async (_, expected, options) => {
    const proven = await testKey();
    const made = await leaf('spiffe://prod.example/dpop/a', options);
    const outcome = await send(made, 'by-x509-with-dpop', {
      dpop: await proven.proof({ iat: now() }),
      resource: audience,
    });
    expect(outcome.replace(` ${proven.jkt}`, '')).toBe(expected);
  });
});
