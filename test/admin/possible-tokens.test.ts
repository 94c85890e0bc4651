import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientSecret } from '../support/desk.ts';
import { testKey } from '../support/keys.ts';
import { type TestServer, testServer } from '../support/server.ts';

const [byCertificate, byKid, byThumbprint] = ['https://certificate.example.com', 'https://kid.example.com', 'https://thumbprint.example.com'];

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
  const register = (members: object) => server.admin('POST', 'clients', { client_secret: clientSecret, ...members });

  it.each<[string, () => object, string]>([
    [
      'a DPoP proof required and the certificate bound (protocol reference D3.6)',
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
    const changed = await server.admin('PATCH', `clients/${body.client_id}`, { resources: [byCertificate] });
    expect([changed.status, changed.body.member]).toEqual([400, 'resources']);
  });
  it.each<[string, () => object]>([
    ['one of two is possible', () => ({ resources: [byCertificate, byThumbprint] })],
    ['the certificate is bound', () => ({ resources: [byCertificate], tls_client_certificate_bound_access_tokens: true })],
    ['a key is registered under a kid', () => ({ resources: [byKid], jwks })],
    ['the resource server may be registered later', () => ({ resources: ['https://later.example.com'] })],
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
    const bound = await register({ resources: [byThumbprint], tls_client_certificate_bound_access_tokens: true });
    expect((await server.admin('GET', `clients/${bound.body.client_id}`)).body.possession).toEqual({
      proofs: ['tls_handshake'],
      resource_servers: [{ audience: byThumbprint, cnf_methods: ['jkt', 'x5t#S256'] }],
      more: false,
    });
  });
});
