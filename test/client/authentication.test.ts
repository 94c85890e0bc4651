import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHolder, HolderError, type HolderOptions } from '../../packages/client/src/client.ts';
import { type Api, openApi } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';

const secret = 'secret-'.repeat(6);
let server: LiveServer;
let api: Api;

beforeAll(async () => {
  server = await liveServer();
  api = await openApi(server.issuer);
  await server.admin('POST', 'resource-servers', { audience: api.origin, scopes: ['read'] });
  for (const method of ['client_secret_basic', 'client_secret_post'])
    await server.admin('POST', 'clients', {
      client_id: method,
      client_secret: secret,
      token_endpoint_auth_method: method,
      scope: 'read',
    });
});
afterAll(async () => {
  await Promise.all([api.close(), server.stop()]);
});

const optionsOf = (more: Partial<HolderOptions> = {}): HolderOptions => ({
  issuer: server.issuer,
  clientId: 'client_secret_basic',
  resource: api.origin,
  key: 'memory',
  ...more,
});

describe('client authentication (RFC 6749 §2.3)', () => {
  it.each(['client_secret_basic', 'client_secret_post'] as const)('by %s', async (method) => {
    const authentication = { method, secret };
    const holder = await createHolder(optionsOf({ clientId: method, authentication }));
    expect((await holder.fetch(`${api.origin}/reports`)).status).toBe(200);
  });

  it('none is sent as RFC 6749 §3.2.1 says; this server has no public clients', async () => {
    const holder = await createHolder(optionsOf({ authentication: { method: 'none' } }));
    await expect(holder.token()).rejects.toMatchObject({
      code: 'token_refused',
      status: 401,
      error: 'invalid_client',
    });
  });
});

describe('options that cannot be right', () => {
  it.each<[string, object]>([
    ['neither secret nor authentication', {}],
    ['both', { clientSecret: secret, authentication: { method: 'none' } }],
    ['no client', { clientId: '', clientSecret: secret }],
    ['an issuer that is no URL', { issuer: 'as.example.com', clientSecret: secret }],
    ['an issuer over plain HTTP', { issuer: 'http://as.example.com', clientSecret: secret }],
    ['an origin that is no URL', { origins: ['api'], clientSecret: secret }],
    ['a key of no known form', { key: 5, clientSecret: secret }],
    ['a certificate of no known form', { certificate: 'PEM', clientSecret: secret }],
  ])('%s', async (_what, more) => {
    const refused = createHolder(optionsOf(more));
    await expect(refused).rejects.toMatchObject({ code: 'invalid_options' });
  });
});

/** A server that answers the token endpoint with this, and metadata that name it. */
async function oddServer(status: number, body: string, type = 'application/json') {
  const odd = createServer((request, response) => {
    request.resume();
    const { port } = odd.address() as AddressInfo;
    const issuer = `http://127.0.0.1:${port}`;
    const metadata = { issuer, token_endpoint: `${issuer}/token` };
    const isToken = request.url === '/token';
    response.writeHead(isToken ? status : 200, {
      'content-type': isToken ? type : 'application/json',
    });
    response.end(isToken ? body : JSON.stringify(metadata));
  }).listen(0, '127.0.0.1');
  await once(odd, 'listening');
  return odd;
}

describe('an answer of a token endpoint that cannot be used, without a secret in the error', () => {
  const token = 'token-that-must-not-be-logged';
  const answer = { access_token: token, token_type: 'DPoP', expires_in: 60 };
  it.each([
    { what: 'a bearer token', body: { ...answer, token_type: 'Bearer' }, code: 'token_not_bound' },
    {
      what: 'an unknown type',
      body: { ...answer, token_type: 'x' },
      code: 'token_response_invalid',
    },
    {
      what: 'a token for another key',
      body: { ...answer, cnf: { jkt: 'other' } },
      code: 'token_not_bound',
    },
    {
      what: 'a token that is no header field',
      body: { ...answer, access_token: `${token}\nX: y` },
      code: 'token_response_invalid',
    },
    {
      what: 'no token',
      body: { token_type: 'DPoP', secret: token },
      code: 'token_response_invalid',
    },
    { what: 'no lifetime', body: { ...answer, expires_in: 'x' }, code: 'token_response_invalid' },
    { what: 'half an answer', body: `{"access_token":"${token}"`, code: 'token_response_invalid' },
    { what: 'a page', body: token, type: 'text/html', code: 'token_response_invalid' },
    { what: 'status 500', status: 500, body: token, code: 'token_refused' },
    { what: 'a redirect', status: 302, body: token, code: 'token_refused' },
    {
      what: 'an error that is no text',
      status: 400,
      body: { error: { token }, error_description: 'x'.repeat(9999) },
      code: 'token_refused',
    },
  ])('$what', async ({ body, status = 200, type, code }) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const odd = await oddServer(status, text, type);
    const issuer = `http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
    const holder = await createHolder(optionsOf({ issuer, clientSecret: secret }));
    const error: unknown = await holder.fetch(`${api.origin}/reports`).catch((e: unknown) => e);
    odd.closeAllConnections();
    odd.close();
    expect(error).toBeInstanceOf(HolderError);
    expect(error).toMatchObject({ code });
    const printed = inspect(error, { depth: 9, showHidden: true });
    for (const hidden of [token, secret, btoa(secret).slice(0, 20)])
      expect(printed).not.toContain(hidden);
  });
});

it('the error of a refusal has what the server said, and when to try again', async () => {
  const holder = await createHolder(optionsOf({ clientSecret: secret, scope: 'unknown' }));
  await expect(holder.token()).rejects.toMatchObject({
    code: 'token_refused',
    status: 400,
    error: 'invalid_scope',
    message: expect.stringMatching(/^the authorization server answered 400 invalid_scope: /),
  });
});

it('a server that cannot be reached is named, and asked again at the next request', async () => {
  let away = true;
  const holder = await createHolder(
    optionsOf({
      clientSecret: secret,
      fetch: async (input, init) =>
        fetch(away ? 'http://127.0.0.1:1/' : input, { ...init, method: init?.method ?? 'GET' }),
    }),
  );
  await expect(holder.token()).rejects.toMatchObject({
    code: 'server_unreachable',
    message: expect.stringContaining(server.issuer),
  });
  away = false;
  expect((await holder.token()).tokenType).toBe('DPoP');
});

it('a server that does not answer in time is given up', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const issuer = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const holder = await createHolder(optionsOf({ issuer, clientSecret: secret, timeout: 50 }));
  await expect(holder.token()).rejects.toMatchObject({
    code: 'server_unreachable',
    message: expect.stringContaining('TimeoutError'),
  });
  silent.closeAllConnections();
  silent.close();
});

it('neither holder nor token shows a secret when it is printed', async () => {
  const holder = await createHolder(optionsOf({ clientSecret: secret }));
  const token = await holder.token();
  const printed = [inspect(holder, { depth: 9 }), inspect(token), JSON.stringify([holder, token])];
  for (const text of printed) {
    expect(text).not.toContain(token.accessToken);
    expect(text).not.toContain(secret);
  }
});

it('metadata are asked for once an hour; while they are away the last ones serve', async () => {
  let [ahead, away, asked] = [0, false, 0];
  const holder = await createHolder(
    optionsOf({
      clientSecret: secret,
      clock: () => Date.now() + ahead,
      async fetch(input, init) {
        if (!(input as string).includes('/.well-known/')) return fetch(input, init);
        asked++;
        return away ? Promise.reject(new TypeError('fetch failed')) : fetch(input, init);
      },
    }),
  );
  const first = (await holder.token()).accessToken;
  ahead = 1_800_000;
  const second = (await holder.token()).accessToken;
  expect([asked, first === second]).toEqual([1, false]);
  [ahead, away] = [3_700_000, true];
  expect((await holder.token()).accessToken).not.toBe(second);
  expect(asked).toBe(2);
});
