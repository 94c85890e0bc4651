import { inspect } from 'node:util';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHolder, type Holder } from '../../packages/client/src/client.ts';
import { identityAssertion } from '../../packages/client/src/identity-assertion.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';

const secret = 's'.repeat(32);
const audience = 'https://auth.partner.example';
let server: LiveServer;
let provider: TestKey;
let holder: Holder;

beforeAll(async () => {
  server = await liveServer({ DPOP_NONCE: 'required' });
  provider = await testKey();
  for (const [path, body] of [
    [
      'clients',
      {
        client_id: 'app',
        client_secret: secret,
        grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      },
    ],
    [
      'trusted-issuers',
      {
        issuer: 'https://idp.example.com',
        audience: 'app-at-idp',
        jwks: { keys: [{ ...provider.jwk, kid: 'idp' }] },
      },
    ],
    [
      'authorization-servers',
      {
        issuer: audience,
        clients: [{ client_id: 'app', remote_client_id: 'there' }],
        scope: 'chat.read chat.write',
      },
    ],
  ] as const)
    await server.admin('POST', path, body);
  const { issuer } = server;
  holder = await createHolder({ issuer, clientId: 'app', clientSecret: secret, key: 'memory' });
});
afterAll(async () => server.stop());

const idToken = async () => {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://idp.example.com', sub: 'alice', aud: 'app-at-idp', iat };
  return provider.sign({ ...claims, exp: iat + 300 }, { kid: 'idp', typ: 'JWT' });
};

describe('an identity assertion authorization grant', () => {
  it('comes of an ID token, is for the other server, and bound to the key of the holder', async () => {
    const subjectToken = await idToken();
    const grant = await holder.identityAssertion({ subjectToken, audience, scope: 'chat.read' });
    expect(decodeJwt(grant.assertion)).toMatchObject({
      aud: audience,
      client_id: 'there',
      sub: 'alice',
      scope: 'chat.read',
      cnf: { jkt: holder.thumbprint },
    });
    expect(grant.scope).toBe('chat.read');
    expect(grant.expiresAt).toBeGreaterThan(Date.now());
    expect(inspect(grant) + JSON.stringify(grant)).not.toContain(grant.assertion);
    const again = holder.identityAssertion({ subjectToken, audience });
    await expect(again).rejects.toMatchObject({ error: 'invalid_request' });
  });

  it('for a server that nobody registered is refused with what the server said', async () => {
    const asked = holder.identityAssertion({
      subjectToken: await idToken(),
      audience: 'https://elsewhere.example',
    });
    await expect(asked).rejects.toMatchObject({ error: 'invalid_target' });
    const empty = holder.identityAssertion({ subjectToken: '', audience });
    await expect(empty).rejects.toMatchObject({ code: 'invalid_options' });
  });

  const jwt = (cnf: object) =>
    `e30.${Buffer.from(JSON.stringify({ cnf })).toString('base64url')}.x`;
  const type = 'urn:ietf:params:oauth:token-type:id-jag';
  it.each([
    ['an access token', { token_type: 'dpop', issued_token_type: type }, 'token_response_invalid'],
    ['no type', { token_type: 'n_a' }, 'token_response_invalid'],
    ['another key', { access_token: jwt({ jkt: 'b' }) }, 'token_not_bound'],
    ['no key', { access_token: jwt({}) }, 'token_not_bound'],
    ['no JWT', { access_token: 'x' }, 'token_not_bound'],
  ])('is refused with %s', (_what, answer, code) => {
    const whole = { access_token: jwt({ jkt: 'a' }), token_type: 'n_a', issued_token_type: type };
    const changed =
      'access_token' in answer
        ? { ...whole, ...answer }
        : { ...answer, access_token: jwt({ jkt: 'a' }) };
    expect(() => identityAssertion(changed, 'a', 0)).toThrow(expect.objectContaining({ code }));
    expect(identityAssertion(whole, 'a', 0).assertion).toBe(whole.access_token);
  });
});
