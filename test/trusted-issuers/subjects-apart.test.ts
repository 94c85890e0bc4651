import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import {
  audience,
  jwtBearerGrant,
  openPlatform,
  type Platform,
  platformIssuer,
  shortly,
} from '../support/platform.ts';
import { basic, issuer, startOfTime } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const seconds = startOfTime / 1000;
const other = 'https://other.example.com';
const secret = 's'.repeat(32);

describe.each(storeKinds)('subjects of two trusted issuers, on $name', (kind) => {
  let store: TestStore;
  let platform: Platform;
  let [key, holder]: [TestKey, TestKey] = [] as never;
  beforeAll(async () => {
    store = await kind.make();
    [key, holder] = [await testKey(), await testKey()];
    platform = await openPlatform({ store });
    const { admin } = platform.server;
    await admin('POST', 'clients', {
      client_id: 'agent',
      client_secret: secret,
      scope: 'read',
      grant_types: [jwtBearerGrant, 'urn:ietf:params:oauth:grant-type:token-exchange'],
    });
    const jwks = { keys: [{ ...key.jwk, kid: 'other-1' }] };
    // Not this one's: without a prefix, it can say anything.
    await admin('POST', 'trusted-issuers', {
      issuer: other,
      purposes: ['id_jag', 'id_token'],
      audience: 'app',
      jwks,
    });
    await admin('POST', 'trusted-issuers', {
      issuer: 'https://corp.example.com',
      purposes: ['id_jag'],
      jwks,
      subject_prefix: 'corp:',
    });
    await platform.rule({
      claims: { '/kubernetes.io/namespace': 'orders' },
      client_id: 'agent',
      subject: '{sub}',
    });
  });
  afterAll(async () => {
    await platform.server.stop();
    await store.remove();
  });

  const idJag = (claims: object) =>
    key.sign(
      {
        iss: other,
        aud: issuer,
        client_id: 'agent',
        jti: randomJti(),
        iat: seconds,
        exp: seconds + 300,
        ...claims,
      },
      { typ: 'oauth-id-jag+jwt', kid: 'other-1' },
    );
  const headers = { authorization: basic('agent', secret) };
  const granted = async (assertion: string) =>
    shortly(await platform.grant(assertion, { by: holder, headers, form: { resource: audience } }));
  const exchanged = async (idToken: string) =>
    shortly(
      await platform.server.post(
        '/token',
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: idToken,
          subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
          resource: audience,
        },
        { ...headers, dpop: await holder.proof() },
      ),
    );
  const idToken = (sub: string) =>
    key.sign(
      { iss: other, aud: 'app', sub, jti: randomJti(), iat: seconds, exp: seconds + 300 },
      { kid: 'other-1' },
    );

  it.each<[string, (sub: string) => Promise<string>, string]>([
    ['an ID-JAG', async (sub) => granted(await idJag({ sub })), '400 invalid_grant'],
    ['an ID token', async (sub) => exchanged(await idToken(sub)), '400 invalid_request'],
    [
      `a token of ${platformIssuer}`,
      async (sub) => granted(await platform.token({ sub })),
      '400 invalid_grant',
    ],
  ])('%s of one without a prefix is for no subject of the other', async (_, ask, refusal) => {
    expect(await ask('alice')).toBe('200 alice');
    expect(await ask('corp:alice')).toBe(refusal);
    expect(await ask('corp')).toBe('200 corp');
  });
  it('a client has no name that begins with the prefix', async () => {
    const client = { client_id: 'corp:eve', client_secret: secret };
    const { status, body } = await platform.server.admin('POST', 'clients', client);
    expect([status, body.member]).toEqual([400, 'client_id']);
    const declared = await platform.server.admin('POST', 'configuration', { clients: [client] });
    expect([declared.status, declared.body.member]).toEqual([400, 'clients[0].client_id']);
  });
  it('the issuer with the prefix goes on', async () => {
    const own = await idJag({ iss: 'https://corp.example.com', sub: 'alice' });
    expect(await granted(own)).toBe('200 corp:alice');
  });
  it('a damaged row of a third issuer breaks neither', async () => {
    await execute(
      store,
      "insert into trusted_issuer (id, issuer, metadata, version, created_at, updated_at) values ('x', 'https://x.example.com', '{', 1, 0, 0)",
    );
    expect(await granted(await idJag({ sub: 'bob' }))).toBe('200 bob');
    expect(await granted(await idJag({ sub: 'corp:bob' }))).toBe('400 invalid_grant');
  });
});
