import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { basic, type TestServer, testServer } from '../support/server.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

const [byCertificate, byKid, byThumbprint] = [
  'https://certificate.example.com',
  'https://kid.example.com',
  'https://thumbprint.example.com',
];

describe('what a client can prove, and where that leads to a token', () => {
  let server: TestServer;
  let jwks: { readonly keys: readonly object[] };
  beforeAll(async () => {
    server = await testServer();
    jwks = { keys: [{ ...(await testKey()).jwk, kid: 'one' }] };
    for (const [audience, cnf_methods_supported] of [
      [byCertificate, ['x5t#S256']],
      [byKid, ['kid', 'jku']],
      [byThumbprint, ['jkt', 'x5t#S256']],
    ])
      await server.admin('POST', 'resource-servers', { audience, cnf_methods_supported });
  });
  afterAll(async () => server.stop());
  const register = (members: object) =>
    server.admin('POST', 'clients', { client_secret: clientSecret, ...members });

  it.each<[string, () => object, string]>([
    [
      'a DPoP proof required and the certificate bound',
      () => ({ dpop_bound_access_tokens: true, tls_client_certificate_bound_access_tokens: true }),
      'tls_client_certificate_bound_access_tokens',
    ],
    ['only x5t#S256, and no certificate', () => ({ resources: [byCertificate] }), 'resources'],
    ['only kid and jku, and no registered key', () => ({ resources: [byKid] }), 'resources'],
    ['neither of two', () => ({ resources: [byCertificate, byKid] }), 'resources'],
  ])('refused at registration: %s', async (_why, members, member) => {
    const { status, body } = await register(members());
    expect([status, body.member]).toEqual([400, member]);
  });
  it('refused as a change, too', async () => {
    const { body } = await register({ resources: [byThumbprint] });
    const changed = await server.admin('PATCH', `clients/${body.client_id}`, {
      resources: [byCertificate],
    });
    expect([changed.status, changed.body.member]).toEqual([400, 'resources']);
  });
  it.each<[string, () => object]>([
    ['one of two is possible', () => ({ resources: [byCertificate, byThumbprint] })],
    [
      'the certificate is bound',
      () => ({ resources: [byCertificate], tls_client_certificate_bound_access_tokens: true }),
    ],
    ['a key is registered under a kid', () => ({ resources: [byKid], jwks })],
    [
      'the resource server may be registered later',
      () => ({ resources: ['https://later.example.com'] }),
    ],
  ])('registered: %s', async (_why, members) => {
    expect((await register(members())).status).toBe(201);
  });

  it('GET one shows the proofs and what each resource server makes of them', async () => {
    const { body } = await register({ jwks });
    expect((await server.admin('GET', `clients/${body.client_id}`)).body.possession).toEqual({
      proofs: ['dpop_proof'],
      resource_servers: expect.arrayContaining([
        { audience: byCertificate, cnf_methods: [] },
        { audience: byKid, cnf_methods: ['kid', 'jku'] },
        { audience: byThumbprint, cnf_methods: ['jkt'] },
      ]),
      more: false,
    });
    const bound = await register({
      resources: [byThumbprint],
      tls_client_certificate_bound_access_tokens: true,
    });
    expect((await server.admin('GET', `clients/${bound.body.client_id}`)).body.possession).toEqual({
      proofs: ['tls_handshake'],
      resource_servers: [{ audience: byThumbprint, cnf_methods: ['x5t#S256'] }],
      more: false,
    });
  });

  it('RFC 8705 §3: a client of certificate-bound tokens has none where x5t#S256 is missing', async () => {
    const audience = 'https://default-list.example.com';
    const certificate = { resources: [audience], tls_client_certificate_bound_access_tokens: true };
    const before = await register(certificate);
    const { body } = await server.admin('POST', 'resource-servers', { audience });
    expect([body.cnf_methods_supported, body.clients_without_token.client_ids]).toEqual([
      ['jkt'],
      [before.body.client_id],
    ]);
    const after = await register(certificate);
    for (const { body: client } of [before, after]) {
      const { possession } = (await server.admin('GET', `clients/${client.client_id}`)).body;
      expect(possession.resource_servers).toEqual([{ audience, cnf_methods: [] }]);
    }
  });

  describe('a resource server that comes or changes later is held against the clients that there are', () => {
    const changing = 'https://changing.example.com';
    const resources = { resources: [changing] };
    let id: string;
    const idOf = async (members: object) =>
      (await register({ ...resources, ...members })).body.client_id as string;
    const change = async (method: 'PATCH' | 'PUT', members: object) => {
      const { status, body } = await server.admin(method, `resource-servers/${id}`, {
        ...(method === 'PUT' && { audience: changing }),
        ...members,
      });
      return [status, body.cnf_methods_supported, body.clients_without_token];
    };
    const without = (...client_ids: string[]) => ({ client_ids: client_ids.sort(), more: false });

    it('who would be left without a token is said in the answer, and the change stands', async () => {
      // Registered while there was no such resource server.
      const plain = await idOf({});
      const certificate = await idOf({ tls_client_certificate_bound_access_tokens: true });
      const named = await idOf({ jwks });
      const either = await idOf({ resources: [byThumbprint, changing] });
      await idOf({ disabled: true });
      const created = await server.admin('POST', 'resource-servers', {
        audience: changing,
        cnf_methods_supported: ['x5t#S256'],
      });
      id = created.body.id;
      expect([created.status, created.body.clients_without_token]).toEqual([
        201,
        without(plain, named, either),
      ]);
      expect(await change('PATCH', { cnf_methods_supported: ['kid'] })).toEqual([
        200,
        ['kid'],
        without(plain, certificate, either),
      ]);
      expect(await change('PUT', { cnf_methods_supported: ['x5t#S256', 'jku'] })).toEqual([
        200,
        ['x5t#S256', 'jku'],
        without(plain, either),
      ]);
      expect(await change('PATCH', {})).toEqual([200, ['x5t#S256', 'jku'], without(plain, either)]);
      // As the client's own page says, and the token endpoint.
      const { possession } = (await server.admin('GET', `clients/${plain}`)).body;
      expect(possession.resource_servers).toEqual([{ audience: changing, cnf_methods: [] }]);
      const dpop = await (await testKey()).proof();
      const asked = await server.post(
        '/token',
        { grant_type: 'client_credentials' },
        { authorization: basic(plain, clientSecret), dpop },
      );
      expect([asked.status, asked.body.error]).toEqual([400, 'unsupported_pop_key']);
      expect(await change('PATCH', { cnf_methods_supported: ['jkt'] })).toEqual([
        200,
        ['jkt'],
        without(certificate),
      ]);
      expect(await change('PATCH', { cnf_methods_supported: ['jkt', 'x5t#S256'] })).toEqual([
        200,
        ['jkt', 'x5t#S256'],
        without(),
      ]);
    });
    it('a hundred are named, and whether there are more', async () => {
      const made = await Promise.all(
        Array.from({ length: 101 }, async (_, nth) => idOf({ client_id: `many-${nth}` })),
      );
      const [, , named] = await change('PATCH', { cnf_methods_supported: ['x5t#S256'] });
      expect([made.length, named.client_ids.length, named.more]).toEqual([101, 100, true]);
    });
  });
});
