import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawMessage } from '../support/raw-message.ts';
import { basic, type TestServer, testServer } from '../support/server.ts';
import {
  audience,
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const metadata = '/.well-known/oauth-authorization-server';
const origin = 'https://app.example.com';
let fixture: TokenEndpointFixture;
beforeAll(async () => {
  fixture = await tokenEndpointFixture();
});
afterAll(async () => fixture.server.stop());

/** The fields of CORS in an answer. */
function corsOf(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));
}
const readable = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'DPoP-Nonce, WWW-Authenticate, Date, Retry-After',
};

describe('CORS without credentials (Fetch standard §3.2)', () => {
  it('a page may read the token that it asked for', async () => {
    const answer = await fixture.server.post(
      '/token',
      { grant_type: 'client_credentials', resource: audience },
      { authorization: basic('app', clientSecret), dpop: await fixture.key.proof(), origin },
    );
    expect(answer.status).toBe(200);
    expect(corsOf(answer.headers)).toEqual(readable);
    expect(answer.headers.get('vary')).toBe('origin');
  });

  it.each(['/token', '/revoke'])('the preflight of %s is answered, and cached', async (path) => {
    const answer = await fetch(`${fixture.server.url}${path}`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,dpop',
      },
    });
    expect(answer.status).toBe(204);
    expect(corsOf(answer.headers)).toEqual({
      ...readable,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'DPoP, Authorization, Content-Type',
      'access-control-max-age': '7200',
    });
    expect(answer.headers.get('allow')).toBe('POST, OPTIONS');
    expect(await answer.text()).toBe('');
  });

  it.each([
    { what: 'a revocation', path: '/revoke', status: 401 },
    { what: 'a token request without credentials', path: '/token', status: 401 },
    { what: 'too large a body', path: '/token', body: 'x'.repeat(70_000), status: 400 },
    { what: 'a body of another type', path: '/token', type: 'text/plain', status: 400 },
    { what: 'another method', path: '/token', method: 'PUT', status: 405 },
    { what: 'a query', path: '/token?a=b', status: 401 },
  ])('refusals can be read: $what', async ({ path, body, type, method, status }) => {
    const answer = await fetch(`${fixture.server.url}${path}`, {
      method: method ?? 'POST',
      headers: { origin, 'content-type': type ?? 'application/x-www-form-urlencoded' },
      body: body ?? 'grant_type=client_credentials&token=a',
    });
    expect(answer.status).toEqual(status);
    expect(corsOf(answer.headers)).toEqual(readable);
  });

  it.each(['/token', '/revoke'])('%s is not for the origin null', async (path) => {
    const headers = { origin: 'null', 'content-type': 'application/x-www-form-urlencoded' };
    for (const method of ['POST', 'OPTIONS'] as const) {
      const answer = await fetch(`${fixture.server.url}${path}`, { method, headers });
      expect(corsOf(answer.headers)).toEqual({});
      expect(answer.headers.get('vary')).toBe('origin');
    }
  });

  it('the metadata may be read by every page, of the origin null too', async () => {
    for (const from of [origin, 'null']) {
      const answer = await fixture.server.get(metadata, { origin: from });
      expect(answer.status).toBe(200);
      expect(corsOf(answer.headers)).toEqual(readable);
      expect(answer.headers.get('vary')).toBeNull();
    }
  });

  it.each([
    { path: '/introspect', method: 'POST' },
    { path: '/introspect', method: 'OPTIONS' },
    { path: '/health/ready', method: 'GET' },
    { path: '/nothing', method: 'GET' },
  ])('no page may read $method $path', async ({ path, method }) => {
    const answer = await fetch(`${fixture.server.url}${path}`, { method, headers: { origin } });
    expect(corsOf(answer.headers)).toEqual({});
  });

  it.each(['GET', 'OPTIONS'])('no page may read %s of the admin listener', async (method) => {
    const answer = await fixture.server.admin(method, 'clients', undefined, { origin });
    expect(corsOf(answer.headers)).toEqual({});
  });

  it('no page may read the listener for gateways', async () => {
    const server = await testServer({ env: { GATEWAY_PORT: '0' } });
    for (const method of ['GET', 'OPTIONS'])
      for (const path of ['/auth-request', '/forward-auth', '/ext-authz/api/'])
        expect(
          corsOf((await fetch(server.gatewayUrl + path, { method, headers: { origin } })).headers),
        ).toEqual({});
    await server.stop();
  });

  it.each(['credentials', 'a named origin'])('never allows %s', async () => {
    const answer = await fixture.server.post('/token', {}, { origin, cookie: 'session=1' });
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });
});

describe('a page learns that it must wait', () => {
  const ask = async (server: TestServer) =>
    server.post('/token', { grant_type: 'client_credentials' }, { origin });

  it('429 by address', async () => {
    const limited = await testServer({ env: { RATE_LIMIT_PER_ADDRESS: '1' } });
    await ask(limited);
    const answer = await ask(limited);
    await limited.stop();
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toEqual(expect.any(String));
    expect(corsOf(answer.headers)).toEqual(readable);
  });

  it('503 when too many requests come at once', async () => {
    const small = await testServer({ env: { MAX_CONCURRENT_REQUESTS: '1' } });
    // Requests on one connection are sure to arrive together.
    const request = `POST /token HTTP/1.1\r\nHost: as.example.com\r\nOrigin: ${origin}\r\nContent-Length: 0\r\n`;
    const messages = `${`${request}\r\n`.repeat(60)}${request}Connection: close\r\n\r\n`;
    const [head = '', ...rest] = messages.split('\r\n\r\n');
    const answers = (await rawMessage(small.url, [head], rest.join('\r\n\r\n')))
      .split(/(?=HTTP\/1\.1 \d{3} )/)
      .filter((text) => text.startsWith('HTTP/1.1 503'));
    await small.stop();
    expect(answers.length).toBeGreaterThan(0);
    for (const text of answers) {
      const lines = text.split('\r\n\r\n', 1)[0]?.split('\r\n').slice(1) ?? [];
      const fields = lines.map((line) => line.split(': ') as [string, string]);
      expect(corsOf(new Headers(fields))).toEqual(readable);
    }
  });
});
