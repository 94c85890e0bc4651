import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { anyRsaKey, randomJti, type TestKey } from '../support/keys.ts';
import {
  ath,
  aware,
  exchangeForm,
  keysOf,
  openPair,
  type Pair,
  pairSecret,
  seconds,
  unaware,
} from '../support/pair.ts';
import { pairAgain } from '../support/pair-again.ts';
import { basic } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

const provider = 'https://op.example.com';
let [op, jwks]: [TestKey, HttpsJwks] = [] as never;
beforeAll(async () => {
  op = await anyRsaKey('RS256');
  jwks = await httpsJwks([{ ...op.jwk, kid: 'op-1', use: 'sig' }]);
});
afterAll(async () => jwks.close());

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))('on $name', (kind) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await openPair({ kind, env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  });
  beforeEach(async () => {
    for (const { id } of (await admin('GET', 'trusted-issuers')).items)
      await admin('DELETE', `trusted-issuers/${id}`, undefined, 204);
    pair = await pairAgain(pair);
  });
  afterAll(async () => pair.server.stop());

  const admin = async (method: string, path: string, body?: object, status = 200) => {
    const answer = await pair.server.admin(method, path, body);
    expect([method, path, answer.status]).toEqual([method, path, status]);
    return answer.body;
  };
  /** Deleted, and registered again under the same name, as another client. */
  const another = async (client_id: string, members: object) => {
    await admin('DELETE', `clients/${client_id}`, undefined, 204);
    const grant_types = ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'];
    await admin(
      'POST',
      'clients',
      { client_id, scope: 'read write', grant_types, ...members },
      201,
    );
  };
  const anotherApp = async () =>
    another('app', { client_secret: pairSecret, alt_cnf_holders: ['backend'] });
  const anotherBackend = async () =>
    another('backend', {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...pair.backendKey.jwk, kid: 'be-1' }] },
      alt_cnf_requesters: ['app'],
      alt_cnf_registered_key: true,
    });
  const pairUp = async (more: object = {}) =>
    admin('POST', 'pairings', { requester: 'app', holder: 'backend', ...more }, 201);
  const single = async () =>
    (await pair.ask({ form: { resource: unaware, req_alt_cnf: undefined } })).body
      .access_token as string;
  const exchanged = async (token: string) =>
    keysOf(await pair.backendExchanges(token, {}, pair.backendKey, { ath: ath(token) }));
  const toBackend = () => ({ cnf: { jkt: pair.backendKey.jkt } });

  describe('a client_id that is used again inherits nothing', () => {
    it('the owner: neither its tokens, nor what came of them, nor its pairing', async () => {
      const [subject, shared] = [await single(), (await pair.ask()).body.access_token as string];
      const derived = (await pair.backendExchanges(subject)).body.access_token as string;
      await anotherApp();
      expect((await admin('GET', 'pairings?requester=app')).items).toEqual([]);
      expect(await exchanged(await single())).toBe('400 invalid_grant');
      await admin('PATCH', 'clients/backend', { alt_cnf_requesters: ['app'] });
      await pairUp();
      for (const token of [subject, derived, shared]) {
        expect(await exchanged(token)).toBe('400 invalid_request');
        for (const recipient of ['aware-rs', 'unaware-rs'])
          expect((await pair.introspect(token, recipient)).body).toEqual({ active: false });
      }
      expect(await exchanged(await single())).toEqual(toBackend());
    });
    it('the holder: neither its place in the list of the owner, nor its pairing, nor its part in a token', async () => {
      const [before, shared] = [await single(), (await pair.ask()).body.access_token as string];
      await anotherBackend();
      await pairUp({ mode: 'registered_key' });
      expect((await admin('GET', 'clients/app')).alt_cnf_holders).toEqual(['printer', 'unpaired']);
      expect((await pair.introspect(shared)).body).toMatchObject({ active: true });
      expect((await pair.introspect(shared)).body.alt_cnf).toBeUndefined();
      const notListed = async () => [
        await exchanged(before),
        await exchanged(await single()),
        keysOf(await pair.ask()),
      ];
      const refused = ['400 invalid_grant', '400 invalid_grant', '400 unauthorized_client'];
      expect(await notListed()).toEqual(refused);
      // Nor by a change of something else.
      await admin('PATCH', 'clients/app', { client_name: 'App' });
      expect(await notListed()).toEqual(refused);
      await admin('PATCH', 'clients/app', { alt_cnf_holders: ['backend'] });
      expect(await exchanged(before)).toBe('400 invalid_grant');
      expect(await exchanged(await single())).toEqual(toBackend());
      expect((await pair.ask()).status).toBe(200);
    });
    it("the requester: not its place in the holder's list", async () => {
      await anotherApp();
      await pairUp();
      expect((await admin('GET', 'clients/backend')).alt_cnf_requesters).toEqual([]);
      expect(keysOf(await pair.ask())).toBe('400 unauthorized_client');
      await admin('PATCH', 'clients/backend', { alt_cnf_requesters: ['app'] });
      expect((await pair.ask()).status).toBe(200);
    });
    it('the holder: its key counts as proven only when the new one has proven it', async () => {
      const byRegistration = async () =>
        keysOf(await pair.ask({ reqAltCnf: [{ client_id: 'backend', cnf: { kid: 'be-1' } }] }));
      await pair.backendSignsIn();
      expect(await byRegistration()).toMatchObject({ alt_cnf: [{ client_id: 'backend' }] });
      await anotherBackend();
      await admin('PATCH', 'clients/app', { alt_cnf_holders: ['backend'] });
      await pairUp({ mode: 'registered_key' });
      expect(await byRegistration()).toBe('400 failed_pop_verification');
      await pair.backendSignsIn();
      expect(await byRegistration()).toMatchObject({ alt_cnf: [{ client_id: 'backend' }] });
    });
    it('a name that is listed before anybody bears it means its first bearer, and no other', async () => {
      await admin('PATCH', 'clients/app', { alt_cnf_holders: ['later'] });
      const later = {
        client_id: 'later',
        client_secret: pairSecret,
        scope: 'read',
        grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      };
      for (const outcome of [200, 400]) {
        await admin('POST', 'clients', later, 201);
        await admin('POST', 'pairings', { requester: 'app', holder: 'later' }, 201);
        const token = await single();
        const answer = await pair.server.post('/token', exchangeForm(token), {
          authorization: basic('later', pairSecret),
          dpop: await pair.thiefKey.proof(),
        });
        expect(answer.status).toBe(outcome);
        await admin('DELETE', 'clients/later', undefined, 204);
      }
    });
    it('names that every object has are names like others', async () => {
      for (const client_id of ['constructor', '__proto__', 'toString']) {
        await admin('POST', 'clients', { client_id, client_secret: pairSecret }, 201);
        await admin('PATCH', 'clients/app', { alt_cnf_holders: [client_id] });
        expect((await admin('GET', 'clients/app')).alt_cnf_holders).toEqual([client_id]);
        await admin('DELETE', `clients/${client_id}`, undefined, 204);
        expect((await admin('GET', 'clients/app')).alt_cnf_holders).toEqual([]);
      }
    });
  });

  it('an audience that is used again: the tokens of the first resource server are not for the second', async () => {
    const token = await single();
    const { items } = await admin('GET', 'resource-servers');
    const { id } = items.find(({ audience }: { audience: string }) => audience === unaware);
    const stranger = { audience: unaware, client_id: 'next-rs', client_secret: pairSecret };
    expect((await pair.introspect(token, 'unaware-rs')).body.active).toBe(true);
    await admin('DELETE', `resource-servers/${id}`, undefined, 204);
    const next = { ...stranger, scopes: ['read'] };
    const { id: nextId } = await admin('POST', 'resource-servers', next, 201);
    expect((await pair.introspect(token, 'next-rs')).body).toEqual({ active: false });
    expect((await pair.introspect(await single(), 'next-rs')).body.active).toBe(true);
    await admin('DELETE', `resource-servers/${nextId}`, undefined, 204);
    const back = { ...stranger, client_id: 'unaware-rs', scopes: ['read', 'write'] };
    await admin('POST', 'resource-servers', back, 201);
  });

  describe('ID tokens', () => {
    const idToken = (sub: string) =>
      op.sign(
        { iss: provider, sub, aud: 'op', iat: seconds, exp: seconds + 3600, jti: randomJti() },
        { typ: 'JWT', kid: 'op-1' },
      );
    const ofUser = async (sub: string, form: object = {}) =>
      pair.server.post(
        '/token',
        {
          ...exchangeForm(await idToken(sub)),
          subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
          resource: unaware,
          ...form,
        },
        { authorization: basic('app', pairSecret), dpop: await pair.appKey.proof() },
      );
    const trust = async (more: object = {}) =>
      admin(
        'POST',
        'trusted-issuers',
        { issuer: provider, audience: 'op', jwks_uri: jwks.uri, ...more },
        201,
      );
    it('the list of a trusted issuer means the clients that were there, and no later one of the name', async () => {
      const { id } = await trust({ clients: ['app'] });
      expect((await ofUser('alice')).status).toBe(200);
      await anotherApp();
      expect(keysOf(await ofUser('alice'))).toBe('400 unauthorized_client');
      expect((await admin('GET', `trusted-issuers/${id}`)).clients).toEqual([]);
      await admin('DELETE', `trusted-issuers/${id}`, undefined, 204);
      await trust({ clients: ['app'] });
      expect((await ofUser('alice')).status).toBe(200);
    });
    it('RFC 9068 §5, RFC 9700 §4.15: a user whose name a client was given since stays a user, and passes for no client', async () => {
      await trust();
      const token = (await ofUser('alice')).body.access_token as string;
      const byOwner = async () =>
        keysOf(
          await pair.server.post(
            '/token',
            { ...exchangeForm(token), resource: aware },
            {
              authorization: basic('app', pairSecret),
              dpop: await pair.appKey.proof({ ath: ath(token) }),
            },
          ),
        );
      expect(await byOwner()).toEqual({ cnf: { jkt: pair.appKey.jkt } });
      expect(await exchanged(token)).toBe('400 invalid_grant');
      await admin('POST', 'clients', { client_id: 'alice', client_secret: pairSecret }, 201);
      expect([await byOwner(), await exchanged(token)]).toEqual([
        '400 invalid_request',
        '400 invalid_request',
      ]);
      expect(keysOf(await ofUser('alice'))).toBe('400 invalid_request');
      await admin('DELETE', 'clients/alice', undefined, 204);
      expect(await exchanged(token)).toBe('400 invalid_grant');
      const derived = await byOwner();
      expect(derived).toEqual({ cnf: { jkt: pair.appKey.jkt } });
    });
    it('what came of a user’s token is a user’s token: no exchange makes it shareable', async () => {
      await trust();
      const token = (await ofUser('alice', { resource: aware })).body.access_token as string;
      const again = await pair.server.post(
        '/token',
        { ...exchangeForm(token), req_alt_cnf: JSON.stringify([{ proof: await pair.cnfProof() }]) },
        {
          authorization: basic('app', pairSecret),
          dpop: await pair.appKey.proof({ ath: ath(token) }),
        },
      );
      expect(keysOf(again)).toBe('400 unauthorized_client');
      expect(decodeJwt(token)).toMatchObject({ sub: 'alice' });
    });
  });
});
