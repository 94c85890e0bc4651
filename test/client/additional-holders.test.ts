import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ConsentRequest,
  createHolder,
  type Holder,
  type HolderOptions,
} from '../../packages/client/src/client.ts';
import { type Api, openApi } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';

const secret = 's'.repeat(32);
const grants = ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'];
let server: LiveServer;
let api: Api;
let plainApi: Api;
let backend: Holder;

beforeAll(async () => {
  server = await liveServer({ DPOP_NONCE: 'required' });
  api = await openApi(server.issuer);
  plainApi = await openApi(server.issuer);
  const resourceServer = { scopes: ['read', 'write'] };
  await server.admin('POST', 'resource-servers', {
    ...resourceServer,
    audience: api.origin,
    alt_cnf_supported: true,
    cnf_methods_supported: ['jkt'],
  });
  await server.admin('POST', 'resource-servers', { ...resourceServer, audience: plainApi.origin });
  await server.admin('POST', 'clients', {
    client_id: 'app',
    client_secret: secret,
    scope: 'read write',
    grant_types: grants,
    alt_cnf_holders: ['backend'],
  });
  backend = await createHolder({
    issuer: server.issuer,
    clientId: 'backend',
    authentication: { method: 'private_key_jwt' },
    key: 'memory',
    resource: plainApi.origin,
  });
  await server.admin('POST', 'clients', {
    client_id: 'backend',
    token_endpoint_auth_method: 'private_key_jwt',
    scope: 'read write',
    grant_types: grants,
    jwks: { keys: [backend.publicJwk] },
    alt_cnf_requesters: ['app'],
    alt_cnf_registered_key: true,
  });
  const pairing = { requester: 'app', holder: 'backend', mode: 'registered_key' };
  await server.admin('POST', 'pairings', { ...pairing, first_party: true });
  await backend.token();
});
afterAll(async () => {
  await Promise.all([api.close(), plainApi.close(), server.stop()]);
});

const app = async (more: Partial<HolderOptions> = {}) =>
  createHolder({
    issuer: server.issuer,
    clientId: 'app',
    clientSecret: secret,
    resource: api.origin,
    scope: 'read',
    key: 'memory',
    ...more,
  });
const presenterOf = async (answer: Response) =>
  ((await answer.json()) as { presenter?: string }).presenter;

describe('additional holders', () => {
  it.each([
    { how: 'a holder in the same process', of: () => backend },
    {
      how: 'a function that has the proof made elsewhere',
      of: () => async (request: ConsentRequest) =>
        // What goes over the wire between app and backend.
        backend.proveFor(JSON.parse(JSON.stringify(request)) as ConsentRequest),
    },
    {
      how: 'a registered key',
      of: () => ({ clientId: 'backend', kid: backend.thumbprint ?? '' }),
    },
  ])('by $how: each presents the one token with its own key', async ({ of }) => {
    const holder = await app({ additionalHolders: [of()] });
    const { accessToken } = await holder.token();
    expect(decodeJwt(accessToken)).toMatchObject({
      cnf: { jkt: holder.thumbprint },
      alt_cnf: [{ client_id: 'backend', cnf: { jkt: backend.thumbprint } }],
    });
    expect(await presenterOf(await holder.fetch(`${api.origin}/events`))).toBe('app');
    const shared = backend.withToken(accessToken, { resource: api.origin });
    expect(await presenterOf(await shared.fetch(`${api.origin}/events`))).toBe('backend');
    const thief = await app();
    const stolen = await thief.withToken(accessToken).fetch(`${api.origin}/events`);
    expect(stolen.status).toBe(401);
  });

  it('consent to one requester, key, resource and scope (a proof for another is refused)', async () => {
    const other = await app();
    const holder = await app({
      additionalHolders: [
        async (request) =>
          backend.proveFor({ ...request, thumbprint: other.thumbprint ?? request.thumbprint }),
      ],
    });
    await expect(holder.token()).rejects.toMatchObject({
      code: 'token_refused',
      error: 'failed_pop_verification',
    });
    await expect(backend.proveFor({ clientId: 'app' })).rejects.toMatchObject({
      code: 'invalid_options',
    });
  });

  it('sign a cnf-proof+jwt that names one holder, resource, scope and nonce', async () => {
    const holder = await app();
    const proof = await backend.proveFor(holder);
    expect(decodeProtectedHeader(proof)).toEqual({
      typ: 'cnf-proof+jwt',
      alg: 'ES256',
      kid: backend.thumbprint,
    });
    const { jti, iat = 0, exp = 0, ...claims } = decodeJwt(proof);
    const names = { iss: 'backend', aud: server.issuer, client_id: 'app' };
    expect(claims).toEqual({ ...names, cnf: { jkt: holder.thumbprint } });
    expect(jti?.length).toBeGreaterThanOrEqual(22);
    expect(exp - iat).toBe(120);
    const bound = { resource: api.origin, scope: 'read', nonce: 'n' };
    expect(decodeJwt(await backend.proveFor({ ...holder, ...bound }))).toMatchObject({
      resource: [api.origin],
      scope: 'read',
      nonce: 'n',
    });
    const certificateThumbprint = 'x5t';
    const request = { clientId: 'app', certificateThumbprint };
    expect(decodeJwt(await backend.proveFor(request))['cnf']).toEqual({ 'x5t#S256': 'x5t' });
  });

  it('that the resource server cannot express are an error, not a token without them', async () => {
    const holder = await app({ additionalHolders: [backend], resource: plainApi.origin });
    await expect(holder.token()).rejects.toMatchObject({ error: 'unsupported_pop_key' });
  });
});

describe('token exchange (RFC 8693)', () => {
  it('gives the holder that may_act names a token for its own key', async () => {
    const { accessToken } = await (await app({ resource: plainApi.origin })).token();
    const exchanged = backend.exchange({ subjectToken: accessToken, origins: [plainApi.origin] });
    const answer = await exchanged.fetch(`${plainApi.origin}/events`);
    expect(await presenterOf(answer)).toBe('backend');
    expect(decodeJwt((await exchanged.token()).accessToken)).toMatchObject({
      cnf: { jkt: backend.thumbprint },
      act: { client_id: 'backend' },
    });
  });

  it('of its own token proves the key of that token by ath', async () => {
    const holder = await app({ resource: plainApi.origin, scope: 'read write' });
    const subjectToken = async () => (await holder.token()).accessToken;
    const narrowed = holder.exchange({ subjectToken, scope: 'read' });
    expect((await narrowed.fetch(`${plainApi.origin}/events`)).status).toBe(200);
    expect((await narrowed.token()).scope).toBe('read');
  });

  it('of a token of somebody else is refused with what the server said', async () => {
    const { accessToken } = await backend.token();
    const holder = await app();
    const exchanged = holder.exchange({ subjectToken: accessToken, resource: plainApi.origin });
    await expect(exchanged.token()).rejects.toMatchObject({ error: 'invalid_grant' });
    const empty = holder.exchange({ subjectToken: '' });
    await expect(empty.token()).rejects.toMatchObject({ code: 'invalid_options' });
  });
});
