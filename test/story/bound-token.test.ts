import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from 'jose';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, startServer } from '../../src/app/start-server.ts';
import { readConfig } from '../../src/config/config.ts';

const secret = 's'.repeat(32);
const adminToken = 'a'.repeat(32);
const issuer = 'http://localhost:18080';
const postgresql = process.env['TEST_DATABASE_URL'];
const databases = [
  ...(postgresql === undefined ? [] : ['postgresql']),
  'sqlite',
  ...(process.env['TEST_REDIS_URL'] === undefined ? [] : ['sqlite with redis']),
];

describe.each(databases)('a bound token, end to end, on %s', (kind) => {
  let server: RunningServer;
  const key = generateKeyPair('ES256', { extractable: true });
  const admin = (path: string, body: object) =>
    fetch(`http://127.0.0.1:${server.adminPort}/admin/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const proof = async (claims: object = {}, header: object = {}) => {
    const { publicKey, privateKey } = await key;
    return new SignJWT({
      jti: randomBytes(16).toString('hex'),
      htm: 'POST',
      htu: `${issuer}/token`,
      iat: Math.floor(Date.now() / 1000),
      ...claims,
    })
      .setProtectedHeader({
        typ: 'dpop+jwt',
        alg: 'ES256',
        jwk: await exportJWK(publicKey),
        ...header,
      })
      .sign(privateKey);
  };
  const token = (headers: Record<string, string>, form: Record<string, string> = {}) =>
    fetch(`http://localhost:${server.publicPort}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`app:${secret}`)}`, ...headers },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...form }),
    });
  const databaseName = `holdfast_${randomBytes(6).toString('hex')}`;
  const onPostgresql = async (script: string) => {
    const connection = await new PrismaPg({ connectionString: postgresql ?? '' }).connect();
    await connection.executeScript(script);
    await connection.dispose();
  };
  beforeAll(async () => {
    if (kind === 'postgresql') await onPostgresql(`create database ${databaseName}`);
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
    const config = readConfig({
      ISSUER: issuer,
      PORT: '18080',
      ADMIN_PORT: '0',
      ADMIN_TOKEN: adminToken,
      LOG_LEVEL: 'silent',
      DATABASE_URL:
        kind === 'postgresql'
          ? Object.assign(new URL(postgresql ?? ''), { pathname: `/${databaseName}` }).href
          : `file:${join(folder, 'holdfast.db')}`,
      KEY_ENCRYPTION_KEY_FILE: join(folder, 'key-encryption-key'),
      REDIS_URL: kind === 'sqlite with redis' ? process.env['TEST_REDIS_URL'] : undefined,
    });
    server = await startServer(config, {
      clock: Date.now,
      randomId: () => randomBytes(16).toString('base64url'),
      logger: pino({ level: 'silent' }),
      print: () => undefined,
    });
    await admin('resource-servers', { audience: 'https://api.example.com', scopes: ['read'] });
    await admin('clients', { client_id: 'app', client_secret: secret, scope: 'read' });
  });
  afterAll(async () => {
    await server.stop();
    if (kind === 'postgresql') await onPostgresql(`drop database ${databaseName} with (force)`);
  });

  test('RFC 9449 §5, §6.1: the token carries the thumbprint of the proven key and verifies by the JWKS', async () => {
    const response = await token({ dpop: await proof() });
    const answer = (await response.json()) as { access_token: string; token_type: string };
    expect([response.status, answer.token_type]).toEqual([200, 'DPoP']);
    const { payload } = await jwtVerify(
      answer.access_token,
      createRemoteJWKSet(new URL(`${issuer}/jwks`)),
      {
        issuer,
        audience: 'https://api.example.com',
        typ: 'at+jwt',
      },
    );
    expect(payload).toMatchObject({
      sub: 'app',
      client_id: 'app',
      scope: 'read',
      cnf: { jkt: await calculateJwkThumbprint(await exportJWK((await key).publicKey)) },
    });
  });

  test('RFC 9449 §11.1: of 50 parallel uses of one proof exactly one gets a token', async () => {
    const dpop = await proof();
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async () => (await token({ dpop })).status),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 400)).toHaveLength(49);
  });

  test.each([
    ['no proof', {}, {}, {}, 'invalid_request'],
    ['htm of another method', { htm: 'GET' }, {}, {}, 'invalid_dpop_proof'],
    ['htu of another server', { htu: 'https://other.example/token' }, {}, {}, 'invalid_dpop_proof'],
    ['iat an hour ago', { iat: 1 }, {}, {}, 'invalid_dpop_proof'],
    ['iat missing', { iat: undefined }, {}, {}, 'invalid_dpop_proof'],
    ['jti too long', { jti: 'x'.repeat(129) }, {}, {}, 'invalid_dpop_proof'],
    ['padding claim', { foo: 'x'.repeat(3000) }, {}, {}, 'invalid_dpop_proof'],
    ['another typ', {}, { typ: 'jwt' }, {}, 'invalid_dpop_proof'],
    ['a scope beyond the registration', { jti: 'a' }, {}, { scope: 'admin' }, 'invalid_scope'],
    ['an unknown resource', { jti: 'b' }, {}, { resource: 'https://no.example' }, 'invalid_target'],
    [
      'req_cnf naming another key',
      { jti: 'c' },
      {},
      { req_cnf: JSON.stringify({ jkt: 'x'.repeat(43) }) },
      'failed_pop_verification',
    ],
    ['another grant type', { jti: 'd' }, {}, { grant_type: 'password' }, 'unsupported_grant_type'],
  ])('refuses %s', async (name, claims, header, form, error) => {
    const response = await token(
      name === 'no proof' ? {} : { dpop: await proof(claims, header) },
      form,
    );
    expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([
      400,
      error,
    ]);
  });

  test('RFC 6749 §5.2: a wrong secret is 401 with a Basic challenge', async () => {
    const response = await token({
      dpop: await proof(),
      authorization: `Basic ${btoa('app:wrong')}`,
    });
    expect([
      response.status,
      response.headers.get('www-authenticate')?.startsWith('Basic'),
    ]).toEqual([401, true]);
  });

  test('RFC 7523 §3: of 20 parallel uses of one client assertion exactly one gets a token, the others invalid_client', async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1' };
    expect(
      (
        await admin('clients', {
          client_id: 'signer',
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: { keys: [jwk] },
          scope: 'read',
        })
      ).status,
    ).toBe(201);
    const assertion = await new SignJWT({ jti: randomBytes(16).toString('hex') })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setIssuer('signer')
      .setSubject('signer')
      .setAudience(issuer)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(pair.privateKey);
    const form = {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    };
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const response = await fetch(`http://localhost:${server.publicPort}/token`, {
          method: 'POST',
          headers: { dpop: await proof() },
          body: new URLSearchParams(form),
        });
        return response.status;
      }),
    );
    expect(statuses.sort((a, b) => a - b)).toEqual([200, ...Array.from({ length: 19 }, () => 401)]);
  });

  test.each([
    [
      'a private key',
      { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'b', d: 'c' }] } },
      'jwks.keys[0].d',
    ],
    ['an unknown member', { colour: 'red' }, 'colour'],
    ['a short secret', { client_secret: 'short' }, 'client_secret'],
    ['a wrong type', { disabled: 'yes' }, 'disabled'],
  ])('RFC 9457: a client with %s is refused with the member named', async (_, body, member) => {
    const response = await admin('clients', body);
    expect([response.status, ((await response.json()) as { member: string }).member]).toEqual([
      400,
      member,
    ]);
  });
});
