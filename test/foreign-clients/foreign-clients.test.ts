import * as dpop from 'dpop';
import { exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/ports.ts';
import { basic, type TestServer, testServer } from '../support/server.ts';

const audience = 'https://rs.example.com';
const insecure = { [oauth.allowInsecureRequests]: true };

// These clients have clocks of their own, so the server runs on the real one, and its issuer is where it really is.
let server: TestServer;
let issuer: URL;
beforeAll(async () => {
  const port = await freePort();
  issuer = new URL(`http://127.0.0.1:${port}`);
  server = await testServer({
    env: { ISSUER: issuer.origin, PORT: String(port) },
    clock: {
      get now() {
        return Date.now();
      },
    },
  });
  await server.admin('POST', 'resource-servers', { audience, scopes: ['read'] });
});
afterAll(async () => server.stop());

/** A resource server's view: nothing is known but the issuer URL. */
async function validated(
  accessToken: string,
  keys: oauth.CryptoKeyPair,
): Promise<oauth.JWTAccessTokenClaims> {
  const as = await discover();
  const handle = oauth.DPoP({}, keys);
  let claims: oauth.JWTAccessTokenClaims | undefined;
  // The library's own client makes the request that the library's own resource server judges.
  await oauth.protectedResourceRequest(
    accessToken,
    'GET',
    new URL(`${audience}/things`),
    undefined,
    undefined,
    {
      DPoP: handle,
      [oauth.customFetch]: async (url, init) => {
        const request = new Request(url, { method: init.method, headers: init.headers });
        claims = await oauth.validateJwtAccessToken(as, request, audience, {
          ...insecure,
          requireDPoP: true,
        });
        return new Response();
      },
    },
  );
  if (claims === undefined) throw new Error('the resource server was not asked');
  return claims;
}

async function discover(): Promise<oauth.AuthorizationServer> {
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  return oauth.processDiscoveryResponse(issuer, response);
}

async function register(client: object): Promise<{ client_id: string; client_secret?: string }> {
  const { status, body } = await server.admin('POST', 'clients', { scope: 'read', ...client });
  expect(status).toBe(201);
  return body as { client_id: string; client_secret?: string };
}

const jktOf = (claims: oauth.JWTAccessTokenClaims) => (claims.cnf as { jkt: string }).jkt;

describe.each([{ dpop_nonce_required: false }, { dpop_nonce_required: true }])(
  'RFC 9449 by clients of other authors, %o',
  (nonce) => {
    it('oauth4webapi, client_secret_basic', async () => {
      const { client_id, client_secret = '' } = await register({
        token_endpoint_auth_method: 'client_secret_basic',
        ...nonce,
      });
      const keys = await oauth.generateKeyPair('ES256');
      const claims = await byOauth4webapi(
        { client_id },
        oauth.ClientSecretBasic(client_secret),
        keys,
      );
      expect(claims).toMatchObject({ client_id, aud: audience, scope: 'read', iss: issuer.origin });
      expect(jktOf(claims)).toBe(await oauth.DPoP({}, keys).calculateThumbprint());
    });

    it('oauth4webapi, private_key_jwt', async () => {
      const { privateKey, publicKey } = await oauth.generateKeyPair('ES256', { extractable: true });
      const { client_id } = await register({
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'one' }] },
        ...nonce,
      });
      const keys = await oauth.generateKeyPair('Ed25519');
      const claims = await byOauth4webapi(
        { client_id },
        oauth.PrivateKeyJwt({ key: privateKey, kid: 'one' }),
        keys,
      );
      expect(jktOf(claims)).toBe(await oauth.DPoP({}, keys).calculateThumbprint());
    });

    it('openid-client', async () => {
      const { client_id, client_secret = '' } = await register({
        token_endpoint_auth_method: 'client_secret_post',
        ...nonce,
      });
      const config = await openid.discovery(
        issuer,
        client_id,
        undefined,
        openid.ClientSecretPost(client_secret),
        {
          algorithm: 'oauth2',
          execute: [openid.allowInsecureRequests],
        },
      );
      const keys = await openid.randomDPoPKeyPair('ES256');
      const DPoP = openid.getDPoPHandle(config, keys);
      const token = await openid.clientCredentialsGrant(
        config,
        { scope: 'read', resource: audience },
        { DPoP },
      );
      expect(token.token_type).toBe('dpop');
      expect(jktOf(await validated(token.access_token, keys))).toBe(
        await DPoP.calculateThumbprint(),
      );
    });

    it('dpop and plain fetch', async () => {
      const { client_id, client_secret = '' } = await register({
        token_endpoint_auth_method: 'client_secret_basic',
        ...nonce,
      });
      const keys = await dpop.generateKeyPair('ES256');
      const endpoint = `${issuer.origin}/token`;
      const ask = async (fresh?: string) =>
        fetch(endpoint, {
          method: 'POST',
          headers: {
            authorization: basic(client_id, client_secret),
            dpop: await dpop.generateProof(keys, endpoint, 'POST', fresh),
          },
          body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
        });
      const first = await ask();
      const response = nonce.dpop_nonce_required
        ? await ask(first.headers.get('dpop-nonce') ?? '')
        : first;
      const { access_token: accessToken } = (await response.json()) as { access_token: string };
      expect(jktOf(await validated(accessToken, keys))).toBe(
        await dpop.calculateThumbprint(keys.publicKey),
      );
    });
  },
);

async function byOauth4webapi(
  client: oauth.Client,
  authentication: oauth.ClientAuth,
  keys: oauth.CryptoKeyPair,
): Promise<oauth.JWTAccessTokenClaims> {
  const as = await discover();
  const DPoP = oauth.DPoP({}, keys);
  const ask = async () =>
    oauth.processClientCredentialsResponse(
      as,
      client,
      await oauth.clientCredentialsGrantRequest(
        as,
        client,
        authentication,
        { scope: 'read', resource: audience },
        { DPoP, ...insecure },
      ),
    );
  const token = await ask().catch((error: unknown) => {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return ask();
  });
  expect(token.token_type).toBe('dpop');
  return validated(token.access_token, keys);
}

it('a token shown with another key is refused by the verifier (RFC 9449 §7.1)', async () => {
  const { client_id, client_secret = '' } = await register({
    token_endpoint_auth_method: 'client_secret_basic',
  });
  const as = await discover();
  const client = { client_id };
  const keys = await oauth.generateKeyPair('ES256');
  const response = await oauth.clientCredentialsGrantRequest(
    as,
    client,
    oauth.ClientSecretBasic(client_secret),
    {},
    {
      DPoP: oauth.DPoP({}, keys),
      ...insecure,
    },
  );
  const { access_token: accessToken } = await oauth.processClientCredentialsResponse(
    as,
    client,
    response,
  );
  await expect(validated(accessToken, await oauth.generateKeyPair('ES256'))).rejects.toThrow(
    /DPoP|confirmation|thumbprint/i,
  );
});
