import { createHash, type X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  EmbeddedJWK,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  jwtVerify,
} from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { testKey } from '../support/keys.ts';
import { basic, issuer, startOfTime } from '../support/server.ts';
import {
  assertionForm,
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const api = 'https://rs.example.com/things';
const audienceOf = (method: string) =>
  `https://${method.replace('#', '-').toLowerCase()}.example.com`;
const methods = ['jkt', 'x5t#S256', 'jwk', 'kid', 'jku'] as const;
type Method = (typeof methods)[number];

let fixture: TokenEndpointFixture;
let device: TestCertificate;
beforeAll(async () => {
  device = await certificate({ subject: 'CN=device' });
  fixture = await tokenEndpointFixture({
    env: { CLIENT_CERTIFICATE_HEADER: 'rfc9440', TRUSTED_PROXIES: '127.0.0.1/32' },
  });
  for (const method of methods)
    await fixture.server.admin('POST', 'resource-servers', {
      audience: audienceOf(method),
      cnf_methods_supported: [method],
    });
  const bound = {
    client_id: 'device',
    client_secret: clientSecret,
    tls_client_certificate_bound_access_tokens: true,
  };
  await fixture.server.admin('POST', 'clients', bound);
});
afterAll(async () => fixture.server.stop());

/** A token whose key is named by this method: the certificate's by the proxy's word, every other one by a DPoP proof of the registered key. */
async function tokenBy(method: Method): Promise<{ access_token: string; token_type: string }> {
  const resource = { grant_type: 'client_credentials', resource: audienceOf(method) };
  const { body } =
    method === 'x5t#S256'
      ? await fixture.server.post('/token', resource, {
          authorization: basic('device', clientSecret),
          'client-cert': `:${device.der.toString('base64')}:`,
        })
      : await fixture.server.post(
          '/token',
          assertionForm(await fixture.key.assertion('signer'), resource),
          { dpop: await fixture.key.proof() },
        );
  return body as { access_token: string; token_type: string };
}

/** What a resource server needs to know of the issuer is what the issuer publishes. */
async function published(uri: string): Promise<JSONWebKeySet> {
  return (await fixture.server.get(uri.replace(issuer, ''))).body as JSONWebKeySet;
}

/** RFC 9068 §4 by jose, from the metadata on. */
async function confirmationOf(
  token: string,
  method: Method,
): Promise<{ readonly cnf: Record<string, unknown>; readonly client_id: string }> {
  const { jwks_uri } = (await fixture.server.get('/.well-known/oauth-authorization-server'))
    .body as {
    jwks_uri: string;
  };
  const keys = createLocalJWKSet(await published(jwks_uri));
  const currentDate = new Date(startOfTime);
  const { payload } = await jwtVerify(token, keys, {
    issuer,
    audience: audienceOf(method),
    typ: 'at+jwt',
    currentDate,
  });
  return payload as unknown as { cnf: Record<string, unknown>; client_id: string };
}

/** Thumbprint of the key that the confirmation names, for the methods that are proven by DPoP (RFC 7800 §3.2, §3.4, §3.5, RFC 9449 §6.1). */
async function namedKey({
  cnf,
  client_id,
}: {
  readonly cnf: Record<string, unknown>;
  readonly client_id: string;
}): Promise<string> {
  if (typeof cnf['jkt'] === 'string') return cnf['jkt'];
  if (cnf['jwk'] !== undefined) return calculateJwkThumbprint(cnf['jwk'] as JWK);
  const own = `${issuer}/clients/${client_id}/jwks`;
  // Only where the issuer hosts it: nobody else's URL is fetched.
  if (cnf['jku'] !== undefined && cnf['jku'] !== own) throw new Error('jku is not at the issuer');
  const named = (await published(own)).keys.filter(({ kid }) => kid === cnf['kid']);
  expect(named.length).toBe(1);
  return calculateJwkThumbprint(named[0] as JWK);
}

/** RFC 9449 §4.3 and §7.1 by jose: the thumbprint of the key that signed the proof. */
async function provenKey(proof: string, token: string): Promise<string> {
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    currentDate: new Date(startOfTime),
  });
  expect(payload).toMatchObject({
    htm: 'GET',
    htu: api,
    ath: createHash('sha256').update(token).digest('base64url'),
  });
  await importJWK(protectedHeader.jwk as JWK, String(protectedHeader.alg));
  return calculateJwkThumbprint(protectedHeader.jwk as JWK);
}

describe('RFC 7800: each confirmation method, verified with jose and what the issuer publishes', () => {
  it.each(['jkt', 'jwk', 'kid', 'jku'] as const)('%s', async (method) => {
    const { access_token: token, token_type: type } = await tokenBy(method);
    expect(type).toBe(method === 'jkt' ? 'DPoP' : 'PoP');
    const confirmed = await confirmationOf(token, method);
    expect(Object.keys(confirmed.cnf)).toEqual(method === 'jku' ? ['jku', 'kid'] : [method]);
    const claims = {
      htm: 'GET',
      htu: api,
      ath: createHash('sha256').update(token).digest('base64url'),
    };
    expect(await provenKey(await fixture.key.proof(claims), token)).toBe(await namedKey(confirmed));
  });

  it('x5t#S256, in a real handshake with the resource server', async () => {
    const { access_token: token, token_type: type } = await tokenBy('x5t#S256');
    expect(type).toBe('Bearer');
    const { cnf } = await confirmationOf(token, 'x5t#S256');
    const thief = await certificate({ subject: 'CN=device' });
    const tls = await certificate({
      subject: 'CN=rs',
      names: [{ type: 'ip', value: '127.0.0.1' }],
      notBefore: 0,
      notAfter: Date.now() + 86_400_000,
    });
    const resourceServer = createServer(
      { key: tls.keyPem, cert: tls.pem, requestCert: true, rejectUnauthorized: false },
      (incoming, answer) => {
        const shown: X509Certificate | undefined = (
          incoming.socket as TLSSocket
        ).getPeerX509Certificate();
        const thumbprint = shown && createHash('sha256').update(shown.raw).digest('base64url');
        answer.writeHead(thumbprint === cnf['x5t#S256'] ? 200 : 401).end();
      },
    );
    await once(resourceServer.listen(0, '127.0.0.1'), 'listening');
    const { port } = resourceServer.address() as AddressInfo;
    const call = async (identity: { cert?: string; key?: string }) => {
      const outgoing = request({
        host: '127.0.0.1',
        port,
        ca: tls.pem,
        agent: false,
        ...identity,
        headers: { authorization: `Bearer ${token}` },
      });
      outgoing.end();
      const [answer] = await once(outgoing, 'response');
      await text(answer);
      return answer.statusCode as number;
    };
    const outcomes = [
      await call({ cert: device.pem, key: device.keyPem }),
      await call({ cert: thief.pem, key: thief.keyPem }),
      await call({}),
    ];
    resourceServer.close();
    expect(outcomes).toEqual([200, 401, 401]);
  });

  it('a resource server that accepts only x5t#S256 gets no other', async () => {
    const form = { grant_type: 'client_credentials', resource: audienceOf('x5t#S256') };
    const { status, body } = await fixture.server.post(
      '/token',
      assertionForm(await fixture.key.assertion('signer'), form),
      {
        dpop: await fixture.key.proof(),
      },
    );
    expect([status, body.error]).toEqual([400, 'unsupported_pop_key']);
  });

  it.each([
    [['x5t#S256'], 'the resource server accepts only x5t#S256, which cannot name this key'],
    [['kid'], 'the resource server accepts only kid, which cannot name this key'],
    [['jku'], 'the resource server accepts only jku, which cannot name this key'],
    [
      ['x5t#S256', 'kid', 'jku'],
      'the resource server does not accept a confirmation method that can name this key',
    ],
  ])(
    'a key that is not registered, for a resource server that accepts %j: the client is told why',
    async (accepted, description) => {
      const resource = `https://${accepted.length}.${accepted[0]?.replace('#', '-').toLowerCase()}.example.com`;
      await fixture.server.admin('POST', 'resource-servers', {
        audience: resource,
        cnf_methods_supported: accepted,
      });
      const { status, body } = await fixture.server.post(
        '/token',
        { grant_type: 'client_credentials', resource },
        { authorization: basic('app', clientSecret), dpop: await (await testKey()).proof() },
      );
      expect([status, body]).toEqual([
        400,
        { error: 'unsupported_pop_key', error_description: description },
      ]);
    },
  );
});
