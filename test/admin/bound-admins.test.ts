import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminAudience } from '../../src/domain/admin-access.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { audience, openPlatform, shortly } from '../support/platform.ts';
import { type RawAnswer, rawRequest } from '../support/raw-request.ts';
import { basic, startOfTime, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const scopes = ['clients:read', 'clients:write'];
const cc = { grant_type: 'client_credentials' };
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** A fixture with clients that may be admins, nearly are, or are not. */
async function opened(options: Parameters<typeof tokenEndpointFixture>[0] = {}) {
  const fixture = await tokenEndpointFixture(options);
  const registered = async (client_id: string, more: object) => {
    const body = { client_id, client_secret: clientSecret, scope: 'read', ...more };
    const { status } = await fixture.server.admin('POST', 'clients', body);
    expect(status).toBe(201);
  };
  const grant_types = ['client_credentials', exchange];
  const rs = 'https://rs.example.com';
  await registered('operator', {
    resources: [adminAudience, rs],
    admin_scopes: scopes,
    grant_types,
  });
  await registered('only', { resources: [adminAudience], admin_scopes: scopes });
  await registered('named', { resources: [adminAudience] });
  await registered('open', { grant_types });
  const ask = async (by: string, form: object = {}) =>
    fixture.send({
      authorization: basic(by, clientSecret),
      form: { ...cc, resource: adminAudience, ...form },
    });
  const tokenOf = async (by = 'operator', form: object = {}) => {
    const { access_token: token } = JSON.parse((await ask(by, form)).body) as {
      access_token: string;
    };
    return token;
  };
  return { fixture, ask, tokenOf };
}
type Opened = Awaited<ReturnType<typeof opened>>;

const ath = (token: string) => createHash('sha256').update(token).digest('base64url');

interface Called {
  readonly token: string;
  readonly method?: string;
  readonly path?: string;
  readonly scheme?: string;
  readonly claims?: object;
  readonly by?: TestKey;
  readonly proofs?: readonly string[];
  readonly host?: string;
  readonly body?: object;
}

/** Calls the admin API with a bound token; what is left out is right. */
async function call({ server, key }: TokenEndpointFixture, called: Called): Promise<RawAnswer> {
  const { token, method = 'GET', path = '/admin/clients', by = key, claims, body } = called;
  const htu = `${server.adminUrl}${path.split('?')[0]}`;
  const proof = async () => by.proof({ htm: method, htu, ath: ath(token), ...claims });
  const proofs = called.proofs ?? [await proof()];
  return rawRequest(
    `${server.adminUrl}${path}`,
    method,
    [
      ['authorization', `${called.scheme ?? 'DPoP'} ${token}`],
      ...proofs.map((each) => ['dpop', each] as const),
      ...(called.host === undefined ? [] : [['host', called.host] as const]),
      ...(body === undefined ? [] : [['content-type', 'application/json'] as const]),
    ],
    body === undefined ? '' : JSON.stringify(body),
  );
}
const errorOf = ({ status, body }: RawAnswer) =>
  `${status} ${(JSON.parse(body) as { error?: string }).error ?? ''}`.trim();

describe.each(storeKinds)('bound admin access on $name', (kind) => {
  let at: Opened;
  beforeAll(async () => {
    at = await opened({ kind });
  });
  afterAll(async () => at.fixture.server.stop());

  it('RFC 9449 §7.1: a token for urn:holdfast:admin with its proof may do what its scopes say', async () => {
    const token = await at.tokenOf();
    expect((await call(at.fixture, { token })).status).toBe(200);
    expect((await call(at.fixture, { token, path: '/admin/clients?limit=1' })).status).toBe(200);
    const claims = {
      htu: `${at.fixture.server.adminUrl.replace('127.0.0.1', 'localhost')}/admin/clients`,
    };
    expect((await call(at.fixture, { token, claims })).status).toBe(200);
    expect((await call(at.fixture, { token, path: '/admin/audit-events' })).status).toBe(403);
    const body = { client_id: 'made', client_secret: clientSecret };
    expect((await call(at.fixture, { token, method: 'POST', body })).status).toBe(201);
    const { body: trail } = await at.fixture.server.admin(
      'GET',
      'audit-events?type=client_created&limit=200',
    );
    expect(
      trail.items.find((event: { client_id: string }) => event.client_id === 'made').actor,
    ).toMatch(/^admin:client:operator#[\w-]{20,}$/);
    const narrow = await at.tokenOf('operator', { scope: 'clients:read' });
    expect((await call(at.fixture, { token: narrow, method: 'POST', body })).status).toBe(403);
  });

  it.each<[string, (token: string, fixture: TokenEndpointFixture) => Promise<Partial<Called>>]>([
    ['as a bearer token', async () => ({ scheme: 'Bearer' })],
    ['without a proof', async () => ({ proofs: [] })],
    [
      'with two proofs',
      async (token, { key }) => ({
        proofs: [await key.proof({ ath: ath(token) }), await key.proof({ ath: ath(token) })],
      }),
    ],
    ['with a proof of another key', async () => ({ by: await testKey() })],
    ['with a proof for another token', async () => ({ claims: { ath: ath('x') } })],
    ['with a proof for another method', async () => ({ claims: { htm: 'POST' } })],
    [
      'with a proof for another path',
      async (_, { server }) => ({ claims: { htu: `${server.adminUrl}/admin/pairings` } }),
    ],
    [
      'with a proof for the token endpoint',
      async () => ({ claims: { htu: 'https://as.example.com/token' } }),
    ],
    ['with an old proof', async () => ({ claims: { iat: startOfTime / 1000 - 3600 } })],
    [
      'with a proof for another host that Host names',
      async () => ({
        claims: { htu: 'http://evil.example.com/admin/clients' },
        host: 'evil.example.com',
      }),
    ],
  ])('%s it is refused', async (_what, change) => {
    const token = await at.tokenOf();
    const answer = await call(at.fixture, { token, ...(await change(token, at.fixture)) });
    expect(answer.status).toBe(401);
    expect(answer.body).not.toContain('operator');
  });

  it('a proof counts once', async () => {
    const token = await at.tokenOf();
    const htu = `${at.fixture.server.adminUrl}/admin/clients`;
    const proofs = [await at.fixture.key.proof({ htm: 'GET', htu, ath: ath(token) })];
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async () => (await call(at.fixture, { token, proofs })).status),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  });

  it('a token for another audience is none', async () => {
    const token = await at.tokenOf('operator', { resource: 'https://rs.example.com' });
    expect((await call(at.fixture, { token })).status).toBe(401);
  });

  it.each<[string, string, object, string]>([
    ['a client without resources', 'open', {}, '400 invalid_target'],
    ['a client with another list', 'app', {}, '400 invalid_target'],
    ['a client without admin_scopes', 'named', {}, '400 invalid_target'],
    [
      'a client that names no resource: never by default',
      'only',
      { resource: undefined },
      '400 invalid_target',
    ],
    ['a scope beyond its own', 'operator', { scope: 'audit:read' }, '400 invalid_scope'],
    ['a scope of another resource server', 'operator', { scope: 'read' }, '400 invalid_scope'],
    [
      'the audience in capitals',
      'operator',
      { resource: 'URN:HOLDFAST:ADMIN' },
      '400 invalid_target',
    ],
  ])('%s gets no such token', async (_who, by, form, expected) => {
    expect(errorOf(await at.ask(by, form))).toBe(expected);
  });

  it('no exchange leads to it, by resource, by audience, or from such a token', async () => {
    const subject = await at.tokenOf('operator', { resource: 'https://rs.example.com' });
    const admin = await at.tokenOf();
    const exchanged = async (token: string, more: object) => {
      const dpop = await at.fixture.key.proof({ ath: ath(token) });
      const answer = await at.fixture.send({
        authorization: basic('operator', clientSecret),
        dpop,
        form: {
          grant_type: exchange,
          subject_token: token,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          ...more,
        },
      });
      return errorOf(answer);
    };
    expect(await exchanged(subject, {})).toBe('200');
    expect(await exchanged(subject, { resource: adminAudience })).toBe('400 invalid_target');
    expect(await exchanged(subject, { audience: adminAudience })).toBe('400 invalid_target');
    expect(await exchanged(admin, {})).toBe('400 invalid_target');
  });

  it('what is taken from the client is taken from its tokens', async () => {
    const { server } = at.fixture;
    const token = await at.tokenOf();
    const status = async () => (await call(at.fixture, { token })).status;
    await server.admin('PATCH', 'clients/operator', { admin_scopes: ['clients:write'] });
    expect(await status()).toBe(403);
    await server.admin('PATCH', 'clients/operator', { admin_scopes: scopes });
    expect(await status()).toBe(200);
    await server.admin('PATCH', 'clients/operator', { disabled: true });
    expect(await status()).toBe(401);
    await server.admin('PATCH', 'clients/operator', { disabled: false });
    server.clock.now += 301_000;
    expect(await status()).toBe(401);
    server.clock.now -= 301_000;
    const revoked = await at.tokenOf();
    await server.post(
      '/revoke',
      { token: revoked },
      { authorization: basic('operator', clientSecret) },
    );
    expect((await call(at.fixture, { token: revoked })).status).toBe(401);
  });

  it.each(['urn:holdfast:admin', 'URN:Holdfast:Admin', 'urn:holdfast:other'])(
    '%s cannot be registered as a resource server',
    async (reserved) => {
      const { status, body } = await at.fixture.server.admin('POST', 'resource-servers', {
        audience: reserved,
      });
      expect([status, body.member]).toEqual([400, 'audience']);
    },
  );
});

describe('a resource server that stands under the reserved audience all the same', () => {
  it('gets no token, also as the only one, and its tokens count at no admin API', async () => {
    const store = await onSqlite.make();
    const server = await testServer({ store });
    await server.admin('POST', 'resource-servers', { audience: 'https://x.example.com' });
    await server.admin('POST', 'clients', { client_id: 'open', client_secret: clientSecret });
    await execute(
      store,
      `update resource_server set audience = '${adminAudience}', metadata = replace(metadata, 'https://x.example.com', '${adminAudience}')`,
    );
    // One that has no copy of what it was called before.
    const replica = await testServer({ store, clock: server.clock });
    const key = await testKey();
    const authorization = basic('open', clientSecret);
    const iat = server.clock.now / 1000;
    const error = async (form: Record<string, string>) =>
      (
        await replica.post(
          '/token',
          { ...cc, ...form },
          { authorization, dpop: await key.proof({ iat }) },
        )
      ).body.error;
    expect([await error({}), await error({ resource: adminAudience })]).toEqual([
      'invalid_target',
      'invalid_target',
    ]);
    await replica.stop();
    await server.stop();
    await store.remove();
  });
});

/** A server with a client that may more than these tokens. */
async function withChief() {
  const server = await testServer();
  const chief = {
    client_id: 'chief',
    client_secret: clientSecret,
    resources: [adminAudience],
    admin_scopes: [...scopes, 'keys:rotate'],
  };
  expect((await server.admin('POST', 'configuration', { clients: [chief] })).status).toBe(200);
  const before = (await server.admin('GET', 'clients/chief')).body as object;
  const made = async (name: string, given: readonly string[]) =>
    (await server.admin('POST', 'admin-tokens', { name, scopes: given })).body.token as string;
  const tokens = [
    await made('writer', [...scopes, 'configuration:write']),
    await made('granter', [...scopes, 'configuration:write', 'admin:grant']),
  ];
  return { server, before, tokens };
}

describe('who makes admins of clients', () => {
  let [chief, granting]: [Awaited<ReturnType<typeof withChief>>, Opened] = [] as never;
  beforeAll(async () => {
    chief = await withChief();
    granting = await opened();
    const given = [...scopes, 'admin:grant'];
    await granting.fixture.server.admin('PATCH', 'clients/operator', { admin_scopes: given });
  });
  afterAll(async () => {
    await chief.server.stop();
    await granting.fixture.server.stop();
  });

  it('needs admin:grant for everything that could make one, and gives nothing beyond its own', async () => {
    const { fixture, tokenOf } = await opened();
    const { server } = fixture;
    const made = async (name: string, given: readonly string[]) =>
      (await server.admin('POST', 'admin-tokens', { name, scopes: given })).body.token as string;
    const writer = await made('writer', scopes);
    const granter = await made('granter', [...scopes, 'admin:grant']);
    const by = async (token: string, method: string, path: string, body?: object) =>
      (await server.admin(method, path, body, { authorization: `Bearer ${token}` })).status;
    const thief = { client_id: 'thief', client_secret: clientSecret };
    const own = { client_secret: 't'.repeat(32) };
    const both = { resources: [adminAudience], admin_scopes: ['clients:read'] };
    expect({
      scopes: await by(writer, 'POST', 'clients', { ...thief, ...both }),
      audience: await by(writer, 'POST', 'clients', { ...thief, resources: [adminAudience] }),
      changed: await by(writer, 'PATCH', 'clients/open', both),
      secretOfAdmin: await by(writer, 'POST', 'clients/operator/secrets', own),
      replaced: await by(writer, 'PUT', 'clients/operator', own),
      patched: await by(writer, 'PATCH', 'clients/operator', own),
      others: await by(writer, 'PATCH', 'clients/open', { client_name: 'Mine' }),
    }).toEqual({
      scopes: 403,
      audience: 403,
      changed: 403,
      secretOfAdmin: 403,
      replaced: 403,
      patched: 403,
      others: 200,
    });
    // The operator gets a scope that the granter has not got; then the granter cannot become it.
    const more = [...scopes, 'audit:read'];
    expect((await server.admin('PATCH', 'clients/operator', { admin_scopes: more })).status).toBe(
      200,
    );
    expect(
      await by(granter, 'PATCH', 'clients/open', { ...both, admin_scopes: ['audit:read'] }),
    ).toBe(403);
    expect(await by(granter, 'POST', 'clients/operator/secrets', own)).toBe(403);
    expect(await by(granter, 'PATCH', 'clients/open', both)).toBe(200);
    expect((await call(fixture, { token: await tokenOf('open') })).status).toBe(200);
    const { status } = await server.admin('GET', 'clients');
    expect(status).toBe(401);
    await server.stop();
  });

  it.each<[string, string, string, object?]>([
    ['demotes', 'PATCH', 'clients/chief', { admin_scopes: ['clients:write'] }],
    ['strips', 'PATCH', 'clients/chief', { admin_scopes: null, resources: null }],
    ['plants a secret in', 'POST', 'clients/chief/secrets', {}],
    ['disables', 'PATCH', 'clients/chief', { disabled: true }],
    ['removes', 'DELETE', 'clients/chief'],
    ['declares anew', 'POST', 'configuration', { clients: [{ client_id: 'chief' }] }],
    ['prunes', 'POST', 'configuration?prune=true', {}],
  ])('nobody %s a client that may more, with admin:grant or without', async (...row) => {
    const [, method, path, body] = row;
    const { server, before, tokens } = chief;
    for (const token of tokens) {
      const { status } = await server.admin(method, path, body, {
        authorization: `Bearer ${token}`,
      });
      expect(status).toBe(403);
      const found = await server.admin('GET', 'clients/chief', undefined, {
        authorization: `Bearer ${token}`,
      });
      expect(found.body).toEqual(before);
    }
  });

  it('revokes no tokens of an admin who may more, by whatever they have in common', async () => {
    const { fixture, tokenOf } = await opened();
    const { server, key } = fixture;
    const made = async (name: string, given: readonly string[]) =>
      (await server.admin('POST', 'admin-tokens', { name, scopes: given })).body.token as string;
    const lesser = await made('lesser', ['clients:read', 'tokens:revoke']);
    const equal = await made('equal', [...scopes, 'tokens:revoke']);
    const [admin, ordinary] = [
      await tokenOf(),
      await tokenOf('operator', { resource: 'https://rs.example.com' }),
    ];
    const jti = (token: string) => decodeJwt(token).jti;
    const by = async (token: string, path: string) =>
      (await server.admin('DELETE', path, undefined, { authorization: `Bearer ${token}` })).status;
    const paths = [`tokens/${jti(admin)}`, 'clients/operator/tokens', `keys/${key.jkt}/tokens`];
    for (const path of paths) expect([path, await by(lesser, path)]).toEqual([path, 403]);
    expect((await call(fixture, { token: admin })).status).toBe(200);
    // A token for another API is no admin's access.
    expect(await by(lesser, `tokens/${jti(ordinary)}`)).toBe(204);
    expect(await by(lesser, 'clients/open/tokens')).toBe(200);
    for (const path of paths) expect([204, 200]).toContain(await by(equal, path));
    expect((await call(fixture, { token: admin })).status).toBe(401);
    await server.stop();
  });

  it.each<[string, object, number]>([
    ['without an end', {}, 403],
    ['with an end beyond ninety days', { days: 91 }, 403],
    ['with an end in ninety days', { days: 90 }, 201],
  ])('a bound admin makes a token of its own scopes %s', async (_what, more, expected) => {
    const { fixture, tokenOf } = granting;
    const { clock } = fixture.server;
    const { days } = more as { readonly days?: number };
    const end = days === undefined ? {} : { expires_at: clock.now / 1000 + days * 86_400 };
    const answer = await call(fixture, {
      token: await tokenOf(),
      method: 'POST',
      path: '/admin/admin-tokens',
      body: { name: 'made', scopes: ['clients:read'], ...end },
    });
    expect(answer.status).toBe(expected);
  });

  it('is not whoever makes rules of trusted issuers: a workload is no admin', async () => {
    const platform = await openPlatform();
    const { server } = platform;
    const members = { resources: [audience, adminAudience], admin_scopes: scopes };
    expect((await server.admin('PATCH', 'clients/worker', members)).status).toBe(200);
    await platform.rule({ claims: { sub: 'system:*' }, client_id: 'worker' });
    const token = await platform.token();
    const form = { resource: adminAudience };
    expect(shortly(await platform.authenticate(token, { form: { resource: audience } }))).toBe(
      '200 worker',
    );
    expect(shortly(await platform.authenticate(token, { form }))).toBe('400 invalid_target');
    expect(shortly(await platform.grant(token, { form }))).toMatch(/^40[01] /);
    await server.stop();
  });
});

describe('strangers behind the same address', () => {
  const storm = async ({ server }: TokenEndpointFixture, headers: Record<string, string>) => {
    const statuses: number[] = [];
    for (let sent = 0; sent < 105; sent++)
      statuses.push((await server.admin('GET', 'clients', undefined, headers)).status);
    return statuses.at(-1);
  };

  it('keep no bound admin waiting, whose token was seen or not, and no replica waits', async () => {
    const { fixture, tokenOf } = await opened();
    const [seen, fresh] = [await tokenOf(), await tokenOf()];
    const elsewhere = await tokenOf('operator', { resource: 'https://rs.example.com' });
    expect((await call(fixture, { token: seen })).status).toBe(200);
    expect(await storm(fixture, { authorization: 'Bearer x' })).toBe(429);
    expect((await call(fixture, { token: seen })).status).toBe(200);
    expect((await call(fixture, { token: fresh })).status).toBe(200);
    const [header, payload] = fresh.split('.');
    const forged = `${header}.${payload}.${'A'.repeat(86)}`;
    for (const token of [elsewhere, forged])
      expect((await call(fixture, { token })).status).toBe(429);
    fixture.server.clock.now += 301_000;
    expect((await call(fixture, { token: seen })).status).toBe(429);
    await fixture.server.stop();
  });

  it('who has a token without its key is told to wait as well, and by itself', async () => {
    const { fixture, tokenOf } = await opened();
    const [stolen, other] = [await tokenOf(), await tokenOf()];
    expect(await storm(fixture, { authorization: `DPoP ${stolen}` })).toBe(429);
    expect((await call(fixture, { token: other })).status).toBe(200);
    await fixture.server.stop();
  });
});

describe('DPOP_NONCE=required and ADMIN_URL', () => {
  const admin = async () => {
    const fixture = await tokenEndpointFixture({ env: { DPOP_NONCE: 'required' } });
    const members = { resources: [adminAudience], admin_scopes: scopes };
    await fixture.server.admin('PATCH', 'clients/app', members);
    const form = { ...cc, resource: adminAudience };
    const nonce = String((await fixture.send({ form })).headers['dpop-nonce']);
    const answer = await fixture.send({ form, dpop: await fixture.key.proof({ nonce }) });
    const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
    const drawn = async (called: Partial<Called>) => {
      const sent = Array.from({ length: 105 }, async () => call(fixture, { token, ...called }));
      return new Set((await Promise.all(sent)).map(({ status }) => status));
    };
    const withNonce = async () => {
      const nonce = String((await call(fixture, { token })).headers['dpop-nonce']);
      return (await call(fixture, { token, claims: { nonce } })).status;
    };
    return { fixture, token, drawn, withNonce };
  };

  it('who has the key draws nonces without end', async () => {
    const { fixture, drawn, withNonce } = await admin();
    for (let sent = 0; sent < 105; sent++) expect(await withNonce()).toBe(200);
    expect(await drawn({})).toEqual(new Set([401]));
    expect(await withNonce()).toBe(200);
    await fixture.server.stop();
  });

  it.each<[string, (token: string, fixture: TokenEndpointFixture) => Promise<Partial<Called>>]>([
    ['by another key', async () => ({ by: await testKey() })],
    ['without a proof', async () => ({ proofs: [] })],
    ['for another token', async () => ({ claims: { ath: ath('x') } })],
    [
      'by one proof that was seen',
      async (token, { server, key }) => ({
        proofs: [
          await key.proof({ htm: 'GET', htu: `${server.adminUrl}/admin/clients`, ath: ath(token) }),
        ],
      }),
    ],
  ])('who draws nonces %s is told to wait', async (_what, change) => {
    const { fixture, token, drawn } = await admin();
    const others = await change(token, fixture);
    await drawn(others);
    expect((await call(fixture, { token, ...others })).status).toBe(429);
    await fixture.server.stop();
  });

  it('RFC 9449 §9: the admin API asks for a nonce, and takes the proof that has it', async () => {
    const fixture = await tokenEndpointFixture({
      env: { DPOP_NONCE: 'required', ADMIN_URL: 'https://admin.example.com' },
    });
    const members = { resources: [adminAudience], admin_scopes: scopes };
    await fixture.server.admin('PATCH', 'clients/app', members);
    const form = { ...cc, resource: adminAudience };
    const first = await fixture.send({ form });
    const nonce = String(first.headers['dpop-nonce']);
    const answer = await fixture.send({ form, dpop: await fixture.key.proof({ nonce }) });
    const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
    const htu = 'https://admin.example.com/admin/clients';
    const refused = await call(fixture, { token, claims: { htu } });
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/^DPoP error="use_dpop_nonce", algs="ES256 /),
    ]);
    const claims = { htu, nonce: String(refused.headers['dpop-nonce']) };
    expect((await call(fixture, { token, claims })).status).toBe(200);
    const { nonce: again } = claims;
    expect((await call(fixture, { token, claims: { nonce: again } })).status).toBe(401);
    await fixture.server.stop();
  });
});
