import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyRsaKey, randomJti, type TestKey, testKey } from '../support/keys.ts';
import {
  audience,
  jwtBearerGrant,
  openPlatform,
  type Platform,
  shortly,
} from '../support/platform.ts';
import { basic, issuer, startOfTime } from '../support/server.ts';

const seconds = startOfTime / 1000;
const idp = 'https://idp.example.com';
const secret = 's'.repeat(32);
let [platform, mine, other, op]: [Platform, TestKey, TestKey, TestKey] = [] as never;
beforeAll(async () => {
  [mine, other, op] = [await testKey(), await testKey(), await anyRsaKey('RS256')];
  platform = await openPlatform();
  const { admin } = platform.server;
  for (const client_id of ['agent', 'thief', 'idp:taken'])
    await admin('POST', 'clients', {
      client_id,
      client_secret: secret,
      scope: 'read write',
      grant_types: [jwtBearerGrant],
    });
  await admin('POST', 'clients', { client_id: 'plain', client_secret: secret });
  await admin('POST', 'resource-servers', { audience: 'https://other.example.com' });
  await admin('POST', 'trusted-issuers', {
    issuer: idp,
    purposes: ['id_jag'],
    audience: 'app-at-idp',
    jwks: { keys: [{ ...op.jwk, kid: 'idp-1' }] },
    subject_prefix: 'idp:',
    clients: ['agent', 'plain'],
  });
});
afterAll(async () => platform.server.stop());

const idJag = (claims: object = {}, header: object = {}, by = op) =>
  by.sign(
    {
      iss: idp,
      sub: 'alice',
      aud: issuer,
      client_id: 'agent',
      jti: randomJti(),
      iat: seconds,
      exp: seconds + 300,
      resource: audience,
      scope: 'read',
      ...claims,
    },
    { typ: 'oauth-id-jag+jwt', kid: 'idp-1', ...header },
  );
const ask = async (
  assertion: string,
  { client = 'agent', by = mine, form = {} }: { client?: string; by?: TestKey; form?: object } = {},
) =>
  platform.grant(assertion, {
    by,
    form: { ...form },
    headers: { authorization: basic(client, secret) },
  });

describe('an identity assertion authorization grant (ID-JAG)', () => {
  it('becomes a token for the user, bound to the key of the client, without a refresh token', async () => {
    const { body } = await ask(await idJag());
    expect(body).toMatchObject({ token_type: 'DPoP', scope: 'read' });
    expect(body.refresh_token).toBeUndefined();
    expect(decodeJwt(body.access_token)).toMatchObject({
      sub: 'idp:alice',
      client_id: 'agent',
      aud: audience,
      cnf: { jkt: mine.jkt },
    });
    expect((await platform.events('token_issued')).at(-1)).toMatchObject({
      detail: { of_user: true },
    });
  });
  it('is announced in the metadata', async () => {
    const { body } = await platform.server.get('/.well-known/oauth-authorization-server');
    expect(body.authorization_grant_profiles_supported).toEqual([
      'urn:ietf:params:oauth:grant-profile:id-jag',
    ]);
  });
  it('of this server itself is none', async () => {
    const jwks = { keys: [{ ...op.jwk, kid: 'idp-1' }] };
    const own = { issuer, purposes: ['id_jag'], jwks };
    expect((await platform.server.admin('POST', 'trusted-issuers', own)).status).toBe(201);
    expect(shortly(await ask(await idJag({ iss: issuer })))).toBe('400 invalid_grant');
  });
  it('resource and scope are bounds', async () => {
    const within = await idJag({
      resource: [audience, 'https://third.example.com'],
      scope: 'read admin',
    });
    expect(shortly(await ask(within, { form: { resource: audience, scope: 'write' } }))).toBe(
      '400 invalid_scope',
    );
    expect(shortly(await ask(within, { form: { resource: 'https://other.example.com' } }))).toBe(
      '400 invalid_target',
    );
    // What was refused was not used up.
    expect(shortly(await ask(within, { form: { resource: audience } }))).toBe('200 idp:alice');
  });
  it('with cnf.jkt it needs a proof by that key', async () => {
    const assertion = await idJag({ cnf: { jkt: mine.jkt } });
    expect(shortly(await ask(assertion, { by: other }))).toBe('400 invalid_grant');
    expect(shortly(await ask(assertion))).toBe('200 idp:alice');
  });
  it.each<[string, () => Promise<string>, string]>([
    ['aud of an app at the issuer', async () => idJag({ aud: 'app-at-idp' }), '400 invalid_grant'],
    [
      'aud for somebody else besides',
      async () => idJag({ aud: [issuer, 'x'] }),
      '400 invalid_grant',
    ],
    ['aud in a list alone', async () => idJag({ aud: [issuer] }), '200 idp:alice'],
    ['another client', async () => idJag({ client_id: 'thief' }), '400 invalid_grant'],
    ['no client', async () => idJag({ client_id: undefined }), '400 invalid_grant'],
    ['the type of an ID token', async () => idJag({}, { typ: 'JWT' }), '400 invalid_grant'],
    [
      'the signature of another key',
      async () => idJag({}, {}, await testKey('RS256')),
      '400 invalid_grant',
    ],
    [
      'an issuer trusted for workloads',
      async () => idJag({ iss: 'https://platform.example.com' }),
      '400 invalid_grant',
    ],
    ['a life that is over', async () => idJag({ exp: seconds }), '400 invalid_grant'],
    ['a start in the future', async () => idJag({ iat: seconds + 60 }), '400 invalid_grant'],
    ['a long jti', async () => idJag({ jti: 'j'.repeat(257) }), '400 invalid_grant'],
    ['no jti', async () => idJag({ jti: undefined }), '400 invalid_grant'],
    ['no iat', async () => idJag({ iat: undefined }), '400 invalid_grant'],
    ['a sub that is an object', async () => idJag({ sub: {} }), '400 invalid_grant'],
    ['an empty sub', async () => idJag({ sub: '' }), '400 invalid_grant'],
    ['the name of a client as sub', async () => idJag({ sub: 'taken' }), '400 invalid_grant'],
    ['a scope that is a list', async () => idJag({ scope: ['read'] }), '400 invalid_grant'],
    ['a resource that is an object', async () => idJag({ resource: {} }), '400 invalid_grant'],
  ])('%s', async (_, assertion, expected) => {
    expect(shortly(await ask(await assertion()))).toBe(expected);
  });
  it.each([
    ['thief', '400 invalid_grant'],
    ['plain', '400 unauthorized_client'],
  ])('of the client %s it is refused', async (client, expected) => {
    expect(shortly(await ask(await idJag(), { client }))).toBe(expected);
  });
  it('a client that the trusted issuer does not list is refused by name too', async () => {
    const assertion = await idJag({ client_id: 'thief' });
    expect(shortly(await ask(assertion, { client: 'thief' }))).toBe('400 unauthorized_client');
  });
  it('without a client it is refused, and it authenticates nobody', async () => {
    expect(shortly(await platform.grant(await idJag()))).toBe('400 invalid_grant');
    expect(shortly(await platform.authenticate(await idJag()))).toBe('401 invalid_client');
  });
});
