import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { delegation } from '../support/delegation.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { ath, exchangeForm, keysOf, openPair, type Pair, pairSecret } from '../support/pair.ts';
import { type Answer, basic, type TestServer, testServer } from '../support/server.ts';
import { stateAt } from '../support/status-list.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

// An algorithm of its own: the key of the first token never signs what came of it.
const listed = 'https://listed.example.com';
const tokenIn = ({ body }: Answer) => body.access_token as string;
const kidOf = (token: string) => String(decodeProtectedHeader(token).kid);

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a token ends with what it was exchanged for, on $name',
  (kind) => {
    let store: TestStore;
    let server: TestServer;
    let replica: TestServer;
    let key: TestKey;
    beforeAll(async () => {
      store = await kind.make();
      server = await testServer({ store, env: { STATUS_LIST_MAX_AGE: '120' } });
      replica = await testServer({ store, clock: server.clock });
      key = await testKey();
      await resourceServer(listed, {
        access_token_signing_alg: 'EdDSA',
        status_list_enabled: true,
      });
      await server.admin('POST', 'clients', {
        client_id: 'app',
        client_secret: pairSecret,
        scope: 'read',
        grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      });
    });
    afterAll(async () => {
      await replica.stop();
      await server.stop();
      await store.remove();
    });

    const resourceServer = async (audience: string, more: object = {}) => {
      const made = await server.admin('POST', 'resource-servers', {
        audience,
        scopes: ['read'],
        client_id: `${new URL(audience).hostname}-rs`,
        client_secret: pairSecret,
        ...more,
      });
      expect(made.status).toBe(201);
      return made.body.id as string;
    };
    const iat = () => Math.floor(server.clock.now / 1000);
    const issued = async (form: Record<string, string>, proof: object = {}) =>
      server.post('/token', form, {
        authorization: basic('app', pairSecret),
        dpop: await key.proof({ iat: iat(), ...proof }),
      });
    const exchange = async (token: string, resource = listed) =>
      issued({ ...exchangeForm(token), resource }, { ath: ath(token) });
    const active = async (token: string) => {
      const authorization = basic(
        `${new URL(String(decodeJwt(token).aud)).hostname}-rs`,
        pairSecret,
      );
      return (await replica.post('/introspect', { token }, { authorization })).body.active;
    };
    const published = async (token: string) => {
      server.clock.now += 6000;
      return stateAt(replica, token);
    };

    it.each<[string, (kid: string, id: string) => Promise<Answer>]>([
      [
        'the key that signed it, which is active',
        async (kid) => server.admin('POST', `signing-keys/${kid}/revoke`),
      ],
      [
        'the key that signed it, which was replaced before',
        async (kid) => {
          const rotated = { alg: 'ES256', immediately: true };
          expect((await server.admin('POST', 'signing-keys/rotate', rotated)).status).toBe(200);
          return server.admin('POST', `signing-keys/${kid}/revoke`);
        },
      ],
      [
        'the resource server that it is for',
        async (_, id) => server.admin('DELETE', `resource-servers/${id}`),
      ],
    ])('%s', async (title, remove) => {
      const audience = `https://first-${title.length}.example.com`;
      const id = await resourceServer(audience);
      const first = tokenIn(await issued({ grant_type: 'client_credentials', resource: audience }));
      const second = tokenIn(await exchange(first));
      const last = tokenIn(await exchange(second));
      const other = tokenIn(await issued({ grant_type: 'client_credentials', resource: listed }));
      expect(await Promise.all([second, last, other].map(active))).toEqual([true, true, true]);
      expect((await remove(kidOf(first), id)).status).toBe(204);
      expect(await Promise.all([second, last, other].map(active))).toEqual([false, false, true]);
      for (const token of [first, second, last])
        expect(keysOf(await exchange(token))).toBe('400 invalid_request');
      expect(await Promise.all([second, last, other].map(published))).toEqual([
        'invalid',
        'invalid',
        'valid',
      ]);
    });

    it('a resource server that is registered again inherits no token to exchange', async () => {
      const audience = 'https://again.example.com';
      const id = await resourceServer(audience);
      const first = tokenIn(await issued({ grant_type: 'client_credentials', resource: audience }));
      await server.admin('DELETE', `resource-servers/${id}`);
      await resourceServer(audience);
      for (const target of [audience, listed])
        expect(keysOf(await exchange(first, target))).toBe('400 invalid_request');
    });
  },
);

describe('a delegated token ends', () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await openPair();
    await pair.server.admin('POST', 'resource-servers', {
      audience: listed,
      scopes: ['read'],
      client_id: 'listed-rs',
      client_secret: pairSecret,
      access_token_signing_alg: 'EdDSA',
    });
  });
  afterAll(async () => pair.server.stop());

  it('with the key that signed the token of the actor', async () => {
    const { body } = await pair.ask({ form: { resource: listed, req_alt_cnf: undefined } });
    const made = await delegation(pair, String(body.access_token), listed);
    const answer = await made.ask({ form: { resource: listed } });
    const active = async () => {
      const token = tokenIn(answer);
      return (await pair.introspect(token, 'listed-rs')).body.active as boolean;
    };
    expect(kidOf(made.actorToken)).not.toBe(kidOf(made.subjectToken));
    expect(await active()).toBe(true);
    await pair.server.admin('POST', `signing-keys/${kidOf(made.actorToken)}/revoke`);
    expect(await active()).toBe(false);
  });
});
