import { afterEach, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { httpsJwks } from '../support/https-jwks.ts';
import { basic, type TestServer } from '../support/server.ts';
import { assertionForm, seconds, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

const env = {
  CLIENT_CERTIFICATE_HEADER: 'nginx',
  TRUSTED_PROXIES: '127.0.0.0/8, ::1/128',
  JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true',
};

/** Registers a resource server, and asks whether a token counts there. */
async function resourceServer(
  server: TestServer,
  body: object,
): Promise<(token: string) => Promise<boolean>> {
  const made = await server.admin('POST', 'resource-servers', body);
  expect(made.status).toBe(201);
  const { client_id, client_secret } = made.body as Record<string, string>;
  const authorization = basic(client_id ?? '', client_secret ?? '');
  return async (token) =>
    (await server.post('/introspect', { token }, { authorization })).body.active as boolean;
}

describe('registered keys behind a jwks_uri, RFC 7591 §2', () => {
  it('a client that moves its keys from jwks to a jwks_uri keeps its tokens; once the key is missing there they end', async () => {
    const fixture = await tokenEndpointFixture({ env });
    cleanUp.push(async () => fixture.server.stop());
    const listed = { ...fixture.key.jwk, kid: 'registered' };
    const published = await httpsJwks([listed]);
    cleanUp.push(async () => published.close());
    const { server, key } = fixture;
    const active = await resourceServer(server, {
      audience: 'https://other.example.com',
      scopes: ['read'],
      access_token_lifetime: 3600,
    });
    await server.admin('PATCH', 'clients/signer', { client_assertion_bound_access_tokens: true });
    const form = assertionForm(await key.assertion('signer', { iat: seconds, exp: seconds + 60 }), {
      resource: 'https://other.example.com',
    });
    const { access_token: token } = (await server.post('/token', form)).body as {
      access_token: string;
    };
    expect(await active(token)).toBe(true);
    expect(
      (await server.admin('PATCH', 'clients/signer', { jwks: null, jwks_uri: published.uri }))
        .status,
    ).toBe(200);
    expect(await active(token)).toBe(true);
    published.keys.current = [];
    server.clock.now += 700_000;
    await expect.poll(async () => active(token), { timeout: 10_000 }).toBe(false);
  });

  it('a certificate of self_signed_tls_client_auth that leaves a jwks_uri takes the tokens bound to it along, and no others', async () => {
    const [old, renewed] = [await certificate(), await certificate()];
    const listed = ({ jwk, der }: TestCertificate) => ({ ...jwk, x5c: [der.toString('base64')] });
    const published = await httpsJwks([listed(old), listed(renewed)]);
    const fixture = await tokenEndpointFixture({ env });
    cleanUp.push(
      async () => published.close(),
      async () => fixture.server.stop(),
    );
    const { server } = fixture;
    const active = await resourceServer(server, {
      audience: 'https://mtls.example.com',
      cnf_methods_supported: ['x5t#S256'],
      access_token_lifetime: 3600,
    });
    await server.admin('POST', 'clients', {
      client_id: 'remote',
      jwks_uri: published.uri,
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      tls_client_certificate_bound_access_tokens: true,
    });
    const tokenBy = async ({ pem }: TestCertificate) => {
      const form = {
        grant_type: 'client_credentials',
        client_id: 'remote',
        resource: 'https://mtls.example.com',
      };
      const { body } = await server.post('/token', form, {
        'x-ssl-client-cert': encodeURIComponent(pem),
      });
      expect(body).toMatchObject({ token_type: 'Bearer' });
      return body.access_token as string;
    };
    const [before, after] = [await tokenBy(old), await tokenBy(renewed)];
    expect([await active(before), await active(after)]).toEqual([true, true]);
    published.keys.current = [listed(renewed)];
    server.clock.now += 700_000;
    await expect.poll(async () => active(before), { timeout: 10_000 }).toBe(false);
    expect(await active(after)).toBe(true);
  });
});
