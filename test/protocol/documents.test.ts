import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issuer, type TestServer, testServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(async () => server.stop());

describe('RFC 8414: metadata', () => {
  it('names what is switched on, and nothing else', async () => {
    const { status, headers, body } = await server.get('/.well-known/oauth-authorization-server');
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(body).toMatchObject({ issuer, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`, response_types_supported: [] });
    expect(body.grant_types_supported).toContain('client_credentials');
    expect(JSON.stringify(body)).not.toMatch(/password|implicit|"none"|HS256/);
    const lists = Object.entries(body as Record<string, unknown>).flatMap(([name, value]) =>
      name.endsWith('_supported') && typeof value === 'object' ? [value] : [],
    );
    expect(lists.flat().filter((item) => typeof item !== 'string')).toEqual([]);
  });
  it('an issuer with a path has its metadata before the path (§3.1)', async () => {
    const tenant = await testServer({ env: { ISSUER: 'https://as.example.com/tenant' } });
    const { status, body } = await tenant.get('/.well-known/oauth-authorization-server/tenant');
    const jwks = await tenant.get('/tenant/jwks');
    await tenant.stop();
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
    const { status, headers, body } = await server.get('/jwks');
    expect([status, headers.get('content-type')?.split(';')[0], headers.get('access-control-allow-origin')]).toEqual([
      200,
      'application/jwk-set+json',
      '*',
    ]);
    expect(headers.get('cache-control')).toMatch(/^public, max-age=\d+$/);
    for (const key of body.keys as object[])
      expect(Object.keys(key).filter((member) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].includes(member))).toEqual([]);
    const again = await server.get('/jwks', { 'if-none-match': String(headers.get('etag')) });
    expect([again.status, again.body]).toEqual([304, '']);
  });
});

describe('other methods and paths', () => {
  it.each([
    ['POST', '/jwks'],
    ['POST', '/.well-known/oauth-authorization-server'],
    ['GET', '/token'],
    ['POST', '/health/live'],
    ['DELETE', '/health/ready'],
    ['OPTIONS', '/token'],
    ['DELETE', '/jwks'],
  ])('%s %s: 405 with Allow', async (method, path) => {
    const response = await fetch(`${server.url}${path}`, { method });
    expect([response.status, response.headers.has('allow')]).toEqual([405, true]);
    await response.text();
  });
  it('an unknown path: JSON 404 without a banner', async () => {
    const { status, headers, body } = await server.get('/nope');
    expect([status, typeof body, headers.get('server'), headers.get('x-powered-by')]).toEqual([404, 'object', null, null]);
    expect((await fetch(`${server.url}/nope`, { method: 'HEAD' })).status).toBe(404);
  });
});
