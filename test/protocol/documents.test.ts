import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyRsaKey, testKey } from '../support/keys.ts';
import { keysOf, openPair } from '../support/pair.ts';
import { issuer, type TestServer, testServer } from '../support/server.ts';
import { assertionForm, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

let server: TestServer;
let tenant: TestServer;
beforeAll(async () => {
  server = await testServer();
  tenant = await testServer({ env: { ISSUER: 'https://as.example.com/tenant' } });
});
afterAll(async () => {
  await server.stop();
  await tenant.stop();
});

describe('RFC 8414: metadata', () => {
  it('names what is switched on, and nothing else', async () => {
    const { status, headers, body } = await server.get('/.well-known/oauth-authorization-server');
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(body).toMatchObject({
      issuer,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      response_types_supported: [],
    });
    expect(body.grant_types_supported).toContain('client_credentials');
    expect(JSON.stringify(body)).not.toMatch(/password|implicit|"none"|HS256/);
    const lists = Object.entries(body as Record<string, unknown>).flatMap(([name, value]) =>
      name.endsWith('_supported') && typeof value === 'object' ? [value] : [],
    );
    expect(lists.flat().filter((item) => typeof item !== 'string')).toEqual([]);
  });
  it('whatever names an algorithm or a method, all of them are known, and each endpoint that is named answers', async () => {
    const { body } = await server.get('/.well-known/oauth-authorization-server');
    const names = Object.keys(body as object).filter(
      (name) => name.endsWith('_endpoint') || name.endsWith('_uri'),
    );
    expect(names.sort((a, b) => a.localeCompare(b))).toEqual([
      'introspection_endpoint',
      'jwks_uri',
      'revocation_endpoint',
      'token_endpoint',
    ]);
    for (const name of names) {
      const uri = String(body[name]);
      expect(uri.startsWith(`${issuer}/`)).toBe(true);
      const { pathname } = new URL(uri);
      expect((await server.get(pathname)).status).toBe(name === 'jwks_uri' ? 200 : 405);
    }
  });
  it('offers the algorithms that are configured, and only those', async () => {
    const narrow = await tokenEndpointFixture({
      env: { DPOP_SIGNING_ALGS: 'ES384, PS256', CLIENT_ASSERTION_SIGNING_ALGS: 'PS256' },
    });
    const { body } = await narrow.server.get('/.well-known/oauth-authorization-server');
    const outcomes = [
      await narrow.outcome(),
      await narrow.outcome({ dpop: await (await testKey('ES384')).proof() }),
      await narrow.outcome({
        authorization: null,
        dpop: await (await anyRsaKey('PS256')).proof(),
        form: assertionForm(await narrow.key.assertion('signer')),
      }),
    ];
    await narrow.server.stop();
    expect(body).toMatchObject({
      dpop_signing_alg_values_supported: ['ES384', 'PS256'],
      token_endpoint_auth_signing_alg_values_supported: ['PS256'],
      revocation_endpoint_auth_signing_alg_values_supported: ['PS256'],
    });
    expect(outcomes).toEqual([
      '400 invalid_dpop_proof',
      expect.stringMatching(/^200 /),
      '401 invalid_client',
    ]);
  });
  it('the members for additional holders are there and follow the configuration', async () => {
    const path = '/.well-known/oauth-authorization-server';
    const ordinary = {
      alt_cnf_supported: true,
      alt_cnf_max: 3,
      req_cnf_methods_supported: ['jwk', 'jkt', 'kid'],
    };
    expect((await server.get(path)).body).toMatchObject(ordinary);
    const other = await openPair({ env: { ALT_CNF_MAX: '1', DPOP_SIGNING_ALGS: 'ES256' } });
    const { alt_cnf_max: most, cnf_proof_signing_alg_values_supported: algs } = (
      await other.server.get(path)
    ).body;
    expect([most, algs]).toEqual([1, ['ES256']]);
    const [one, printers] = [
      { proof: await other.cnfProof() },
      { proof: await other.cnfProof({ iss: 'printer' }, {}, other.thiefKey) },
    ];
    expect([
      (await other.ask({ reqAltCnf: [one, printers] })).status,
      (await other.ask({ reqAltCnf: [one] })).status,
    ]).toEqual([400, 200]);
    const byAnotherAlg = await anyRsaKey('PS256');
    await other.server.admin('PATCH', 'clients/backend', {
      jwks: { keys: [{ ...byAnotherAlg.jwk, kid: 'be-1' }] },
    });
    expect(
      keysOf(
        await other.ask({ reqAltCnf: [{ proof: await other.cnfProof({}, {}, byAnotherAlg) }] }),
      ),
    ).toBe('400 failed_pop_verification');
    await other.server.stop();
  });
  it('an issuer with a path has its metadata before the path (§3.1)', async () => {
    const { status, body } = await tenant.get('/.well-known/oauth-authorization-server/tenant');
    const jwks = await tenant.get('/tenant/jwks');
    expect([status, body.issuer, body.token_endpoint, jwks.status]).toEqual([
      200,
      'https://as.example.com/tenant',
      'https://as.example.com/tenant/token',
      200,
    ]);
  });
});

describe('RFC 7517: the JWK Set', () => {
  it('has public members only, and may be cached and read from anywhere', async () => {
    await server.admin('POST', 'resource-servers', {
      audience: 'https://ps.example.com',
      access_token_signing_alg: 'PS256',
    });
    const { status, headers, body } = await server.get('/jwks');
    expect([
      status,
      headers.get('content-type')?.split(';')[0],
      headers.get('access-control-allow-origin'),
    ]).toEqual([200, 'application/jwk-set+json', '*']);
    expect(headers.get('cache-control')).toMatch(/^public, max-age=\d+$/);
    const keys = body.keys as { kid: string; alg: string; use: string }[];
    expect(keys.map(({ alg, use }) => `${alg} ${use}`)).toEqual(['ES256 sig', 'PS256 sig']);
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(2);
    for (const key of body.keys as object[])
      expect(
        Object.keys(key).filter((member) =>
          ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].includes(member),
        ),
      ).toEqual([]);
    const etag = String(headers.get('etag'));
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await server.get('/jwks', { 'if-none-match': known });
      expect([again.status, again.body, again.headers.get('etag')]).toEqual([304, '', etag]);
    }
    expect((await server.get('/jwks', { 'if-none-match': '"x"' })).status).toBe(200);
    const head = await fetch(`${server.url}/jwks`, { method: 'HEAD' });
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, etag, '']);
  });
  it('is the same, and logged the same, with a query or with a stale entity tag', async () => {
    const answers = [
      await server.get('/jwks'),
      await server.get('/jwks?'),
      await server.get('/jwks', { 'if-none-match': '"x"' }),
    ];
    const ofOne = answers.map(({ status, headers, body }) => ({
      status,
      body,
      headers: Object.fromEntries(
        [...headers].filter(([name]) => name !== 'date' && name !== 'x-request-id'),
      ),
    }));
    expect(ofOne.slice(1)).toEqual([ofOne[0], ofOne[0]]);
    const lines = answers.map(({ headers }) =>
      server.logs.find(({ reqId }) => reqId === headers.get('x-request-id')),
    );
    const line = {
      msg: 'request',
      method: 'GET',
      route: '/jwks',
      status: 200,
      ms: expect.any(Number),
    };
    expect(lines).toEqual([
      expect.objectContaining(line),
      expect.objectContaining(line),
      expect.objectContaining(line),
    ]);
    const [first, ...others] = lines.map((logged) => Object.keys(logged ?? {}).toSorted());
    expect(others).toEqual([first, first]);
  });
});

describe.each(['', '/tenant'])(
  'where other software looks for the documents of the issuer https://as.example.com%s',
  (base) => {
    const at = () => (base === '' ? server : tenant);
    const metadata = `/.well-known/oauth-authorization-server${base}`;

    it.each([
      ['appended, as libraries do', `${base}/.well-known/openid-configuration`],
      ['inserted, RFC 8414 §5', `/.well-known/openid-configuration${base}`],
    ])('the same metadata, without members of OpenID: %s', async (_, path) => {
      const [right, other] = [await at().get(metadata), await at().get(path)];
      expect([other.status, other.body]).toEqual([200, right.body]);
      expect(other.headers.get('access-control-allow-origin')).toBe('*');
      for (const member of ['subject_types_supported', 'id_token_signing_alg_values_supported'])
        expect(Object.keys(other.body as object)).not.toContain(member);
      expect((await fetch(`${at().url}${path}`, { method: 'POST' })).status).toBe(405);
    });
    it('the JWK Set at .well-known/jwks.json', async () => {
      const [right, other] = [
        await at().get(`${base}/jwks`),
        await at().get(`${base}/.well-known/jwks.json`),
      ];
      expect([other.status, other.body]).toEqual([200, right.body]);
      for (const name of ['etag', 'cache-control', 'content-type'])
        expect(other.headers.get(name)).toBe(right.headers.get(name));
    });
    it.each([
      metadata,
      `${base}/.well-known/openid-configuration`,
      `${base}/jwks`,
      `${base}/.well-known/jwks.json`,
      `${base}/clients/app/jwks`,
      `${base}/status-lists/${'a'.repeat(22)}`,
    ])('a preflight from any origin: 204, %s', async (path) => {
      const response = await fetch(`${at().url}${path}`, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example',
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'x-requested-with',
        },
      });
      const field = (name: string) => response.headers.get(`access-control-${name}`);
      expect([
        response.status,
        field('allow-origin'),
        field('allow-methods'),
        field('allow-headers'),
        field('allow-credentials'),
        await response.text(),
      ]).toEqual([204, '*', 'GET, HEAD', '*', null, '']);
    });
    it.each([
      { endpoint: 'token', expected: [204, '*'] },
      { endpoint: 'revoke', expected: [204, '*'] },
      { endpoint: 'introspect', expected: [405, null] },
    ])('$endpoint may be called by pages: $expected', async ({ endpoint, expected }) => {
      const response = await fetch(`${at().url}${base}/${endpoint}`, {
        method: 'OPTIONS',
        headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
      });
      const allowed = response.headers.get('access-control-allow-origin');
      expect([response.status, allowed]).toEqual(expected);
    });
  },
);

describe('other methods and paths', () => {
  it.each([
    ['POST', '/jwks'],
    ['POST', '/.well-known/oauth-authorization-server'],
    ['GET', '/token'],
    ['POST', '/health/live'],
    ['DELETE', '/health/ready'],
    ['OPTIONS', '/introspect'],
    ['DELETE', '/jwks'],
  ])('%s %s: 405 with Allow', async (method, path) => {
    const response = await fetch(`${server.url}${path}`, { method });
    expect([response.status, response.headers.has('allow')]).toEqual([405, true]);
    await response.text();
  });
  it('an unknown path: JSON 404 without a banner', async () => {
    const { status, headers, body } = await server.get('/nope');
    expect([status, typeof body, headers.get('server'), headers.get('x-powered-by')]).toEqual([
      404,
      'object',
      null,
      null,
    ]);
    expect((await fetch(`${server.url}/nope`, { method: 'HEAD' })).status).toBe(404);
  });
});
