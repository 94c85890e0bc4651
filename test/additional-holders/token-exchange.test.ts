import { decodeJwt, type JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import {
  ath,
  aware,
  exchangeForm,
  keysOf,
  openPair,
  type Pair,
  pairSecret,
  setForm,
  unaware,
} from '../support/pair.ts';
import { pairAgain } from '../support/pair-again.ts';
import { basic, startOfTime, testServer } from '../support/server.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await openPair();
});
afterAll(async () => pair.server.stop());
const accessToken = async (form: object = {}) =>
  (await pair.ask({ form: { resource: unaware, req_alt_cnf: undefined, ...form } })).body
    .access_token as string;
const paired = async () => (await pair.ask()).body.access_token as string;
const claimsOf = ({ body }: { body: { access_token: string } }) => decodeJwt(body.access_token);
const backendKeyNamed = () => ({ cnf: { jkt: pair.backendKey.jkt } });
/** The app exchanges by itself. */
const appExchanges = async (
  token: string,
  {
    key = pair.appKey,
    proof = {},
    form = {},
    client = 'app',
  }: { key?: Pair['appKey']; proof?: object; form?: object; client?: string } = {},
) =>
  pair.server.post(
    '/token',
    { ...exchangeForm(token), ...form },
    {
      authorization: basic(client, pairSecret),
      dpop: await key.proof({ iat: pair.server.clock.now / 1000, ath: ath(token), ...proof }),
    },
  );

describe('RFC 8693 §2.1: an exchanged token is bound to the additional holder', () => {
  it('§4.4: a token for a resource server without alt_cnf_supported has may_act; a token for another has not', async () => {
    expect(decodeJwt(await accessToken())['may_act']).toEqual({
      client_id: ['backend', 'printer', 'unpaired'],
    });
    expect(decodeJwt(await paired())['may_act']).toBeUndefined();
  });
  it('an exchange takes no holder along, adds none by the proof of an earlier request, and does not change the key', async () => {
    const proof = await pair.cnfProof();
    const token = (await pair.ask({ reqAltCnf: [{ proof }] })).body.access_token as string;
    expect(keysOf(await appExchanges(token))).toEqual({ cnf: { jkt: pair.appKey.jkt } });
    expect(
      keysOf(await appExchanges(token, { form: { req_alt_cnf: JSON.stringify([{ proof }]) } })),
    ).toBe('400 failed_pop_verification');
    const next = await testKey();
    const forNext = await pair.cnfProof({ cnf: { jkt: next.jkt } });
    expect(
      keysOf(
        await appExchanges(token, {
          key: next,
          form: { req_alt_cnf: JSON.stringify([{ proof: forNext }]) },
        }),
      ),
    ).toBe('400 invalid_grant');
    const fresh = { form: { req_alt_cnf: JSON.stringify([{ proof: await pair.cnfProof() }]) } };
    expect(keysOf(await appExchanges(token, fresh))).toMatchObject({
      alt_cnf: [{ client_id: 'backend' }],
    });
  });
  it('§2.2.1: the named actor gets a token bound to its own key, no longer than the first', async () => {
    const first = await accessToken();
    pair.server.clock.now += 200_000;
    const answer = await pair.backendExchanges(first);
    const claims = claimsOf(answer);
    expect(answer.body).toMatchObject({
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'DPoP',
      ...backendKeyNamed(),
    });
    expect(claims).toMatchObject({
      sub: 'app',
      client_id: 'backend',
      aud: unaware,
      act: { client_id: 'backend', sub: 'backend' },
      exp: decodeJwt(first).exp,
      ...backendKeyNamed(),
    });
    expect(claims['may_act']).toBeUndefined();
    pair.server.clock.now = startOfTime;
  });
  it('the owner exchanges with its own key: less scope, another resource', async () => {
    const answer = await appExchanges(await accessToken(), {
      form: { scope: 'read', audience: aware },
    });
    expect(claimsOf(answer)).toMatchObject({
      sub: 'app',
      client_id: 'app',
      aud: aware,
      scope: 'read',
      cnf: { jkt: pair.appKey.jkt },
    });
    expect(claimsOf(answer)['act']).toBeUndefined();
  });
  it('a further holder exchanges with the key that the token names for it, in either form', async () => {
    for (const resource of [aware, setForm]) {
      const token = (await pair.ask({ form: { resource } })).body.access_token as string;
      expect(
        claimsOf(await pair.backendExchanges(token, {}, pair.backendKey, { ath: ath(token) })),
      ).toMatchObject(backendKeyNamed());
      expect(
        keysOf(await pair.backendExchanges(token, {}, pair.thiefKey, { ath: ath(token) })),
      ).toBe('400 invalid_grant');
    }
  });

  it.each<[string, (token: string) => Promise<unknown>, string]>([
    [
      'the owner with another key',
      (token) => appExchanges(token, { key: pair.thiefKey }),
      '400 invalid_grant',
    ],
    [
      'the owner without ath',
      (token) => appExchanges(token, { proof: { ath: undefined } }),
      '400 invalid_grant',
    ],
    [
      'the owner with ath of another token',
      (token) => appExchanges(token, { proof: { ath: ath('x') } }),
      '400 invalid_grant',
    ],
    [
      'a client that nobody named',
      (token) => appExchanges(token, { client: 'thief', key: pair.thiefKey }),
      '400 invalid_grant',
    ],
    [
      'a client that nobody named, with the key of the owner',
      (token) => appExchanges(token, { client: 'thief' }),
      '400 invalid_grant',
    ],
    [
      'no proof by anybody',
      (token) =>
        pair.server.post('/token', exchangeForm(token), {
          authorization: basic('app', pairSecret),
        }),
      '400 invalid_request',
    ],
    [
      'a named actor without proof of any key',
      async (token) => pair.server.post('/token', exchangeForm(token)),
      '401 invalid_client',
    ],
    [
      'more scope than the subject token has',
      async () => appExchanges(await accessToken({ scope: 'read' }), { form: { scope: 'write' } }),
      '400 invalid_scope',
    ],
    [
      'an unknown resource',
      (token) => appExchanges(token, { form: { resource: 'https://nobody.example' } }),
      '400 invalid_target',
    ],
    [
      'two targets',
      (token) => appExchanges(token, { form: { resource: aware, audience: unaware } }),
      '400 invalid_target',
    ],
    [
      'an actor token',
      (token) => appExchanges(token, { form: { actor_token: token, actor_token_type: 'x' } }),
      '400 invalid_request',
    ],
    [
      'a refresh token asked for',
      (token) =>
        appExchanges(token, {
          form: { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
        }),
      '400 invalid_request',
    ],
    [
      'a subject token type of another kind',
      (token) =>
        appExchanges(token, {
          form: { subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' },
        }),
      '400 invalid_request',
    ],
    [
      'no subject token type',
      (token) => appExchanges(token, { form: { subject_token_type: undefined } }),
      '400 invalid_request',
    ],
    ['a token that is none', () => appExchanges('abc'), '400 invalid_request'],
    [
      'an altered token',
      (token) => appExchanges(`${token.slice(0, -4)}AAAA`),
      '400 invalid_request',
    ],
    [
      'a cnf-proof as subject token',
      async () => appExchanges(await pair.cnfProof()),
      '400 invalid_request',
    ],
    [
      'a token signed by somebody else',
      async (token) =>
        appExchanges(await pair.thiefKey.sign(decodeJwt(token), { typ: 'at+jwt', kid: 'x' })),
      '400 invalid_request',
    ],
  ])('refuses %s', async (_, exchange, outcome) => {
    expect(keysOf((await exchange(await accessToken())) as Parameters<typeof keysOf>[0])).toBe(
      outcome,
    );
  });
  it('refuses an expired and a revoked subject token (RFC 8693 §2.2.2)', async () => {
    const token = await accessToken();
    expect(
      (await pair.server.post('/revoke', { token }, { authorization: basic('app', pairSecret) }))
        .status,
    ).toBe(200);
    expect(keysOf(await appExchanges(token))).toBe('400 invalid_request');
    const other = await accessToken();
    pair.server.clock.now += 600_000;
    expect(keysOf(await appExchanges(other))).toBe('400 invalid_request');
    pair.server.clock.now = startOfTime;
  });
  it('a client without the grant', async () => {
    await pair.server.admin('PATCH', 'clients/app', { grant_types: ['client_credentials'] });
    expect(keysOf(await appExchanges(await accessToken()))).toBe('400 unauthorized_client');
    await pair.server.admin('PATCH', 'clients/app', {
      grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    });
  });
  it('when the pairing is revoked the actor gets nothing more for tokens issued before, nor under a new pairing', async () => {
    const [single, shared] = [await accessToken(), await paired()];
    expect((await pair.backendExchanges(single)).status).toBe(200);
    await pair.server.admin('DELETE', `pairings/${pair.pairing}`);
    expect(keysOf(await pair.backendExchanges(single))).toBe('400 invalid_grant');
    expect(
      keysOf(await pair.backendExchanges(shared, {}, pair.backendKey, { ath: ath(shared) })),
    ).toBe('400 invalid_grant');
    pair.server.clock.now += 5000;
    await pair.server.admin('POST', 'pairings', {
      requester: 'app',
      holder: 'backend',
      mode: 'registered_key',
      scope: 'read',
    });
    expect(keysOf(await pair.backendExchanges(single))).toBe('400 invalid_grant');
    pair.server.clock.now += 1000;
    const later = await accessToken();
    expect(keysOf(await pair.backendExchanges(later))).toBe('400 invalid_grant');
    expect(keysOf(await pair.backendExchanges(later, { scope: 'read' }))).toEqual(
      backendKeyNamed(),
    );
    pair.server.clock.now = startOfTime;
  });
});

describe('RFC 7662 §2.2: introspection shows the current holders of a token', () => {
  let other: Pair;
  beforeAll(async () => {
    other = await openPair();
  });
  beforeEach(async () => {
    other = await pairAgain(other);
  });
  afterAll(async () => other.server.stop());
  const altCnf = async (other: Pair, token: string) => {
    const { body } = await other.introspect(token);
    return [body.active, body.alt_cnf?.map(({ client_id }: JWTPayload) => client_id)];
  };
  it.each<[string, (other: Pair, token: string) => Promise<unknown>]>([
    [
      'the pairing is revoked',
      (other) => other.server.admin('DELETE', `pairings/${other.pairing}`),
    ],
    [
      'the holder is disabled',
      (other) => other.server.admin('PATCH', 'clients/backend', { disabled: true }),
    ],
    ['the holder is deleted', (other) => other.server.admin('DELETE', 'clients/backend')],
    [
      'the key of the holder is replaced',
      async (other) =>
        other.server.admin('PATCH', 'clients/backend', {
          jwks: { keys: [{ ...(await testKey()).jwk, kid: 'be-1' }] },
        }),
    ],
    [
      'the requester lists the holder no more',
      (other) => other.server.admin('PATCH', 'clients/app', { alt_cnf_holders: ['printer'] }),
    ],
    [
      'the holder lists other requesters',
      (other) => other.server.admin('PATCH', 'clients/backend', { alt_cnf_requesters: ['thief'] }),
    ],
    [
      'the holder lists no requester any more',
      (other) => other.server.admin('PATCH', 'clients/backend', { alt_cnf_requesters: [] }),
    ],
    [
      'the holder withdraws by RFC 7009',
      async (other, token) => {
        const form = {
          token,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await other.backendKey.assertion('backend'),
        };
        expect((await other.server.post('/revoke', form)).status).toBe(200);
      },
    ],
  ])(
    'without the holder at the next call, and active for the requester, when %s',
    async (_, withdraw) => {
      const token = (await other.ask()).body.access_token as string;
      const before = (await other.introspect(token)).body;
      expect(before).toMatchObject({
        active: true,
        cnf: { jkt: other.appKey.jkt },
        alt_cnf: [{ client_id: 'backend', cnf: { jkt: other.backendKey.jkt } }],
      });
      const presented = async () => {
        const proof = {
          dpop_proof: await other.backendKey.proof({ htm: 'GET', htu: aware, ath: ath(token) }),
          htm: 'GET',
          htu: aware,
        };
        return (await other.introspect(token, 'aware-rs', proof)).body.proof;
      };
      expect(await presented()).toEqual({ valid: true, presenter: 'backend' });
      await withdraw(other, token);
      expect(await altCnf(other, token)).toEqual([true, undefined]);
      expect(await presented()).toMatchObject({ valid: false });
    },
  );
  it.each<[string, object]>([
    ['takes no registered key of its own any more', { alt_cnf_registered_key: false }],
    ['lists nobody', { alt_cnf_requesters: null }],
  ])(
    'a holder by registration leaves when it %s; one that signed a proof stays',
    async (_, change) => {
      await other.backendSignsIn();
      const registered = (
        await other.ask({ reqAltCnf: [{ client_id: 'backend', cnf: { kid: 'be-1' } }] })
      ).body.access_token as string;
      const proven = (await other.ask()).body.access_token as string;
      expect([await altCnf(other, registered), await altCnf(other, proven)]).toEqual([
        [true, ['backend']],
        [true, ['backend']],
      ]);
      await other.server.admin('PATCH', 'clients/backend', change);
      expect([await altCnf(other, registered), await altCnf(other, proven)]).toEqual([
        [true, undefined],
        [true, ['backend']],
      ]);
    },
  );
  it('the next call may be to another replica', async () => {
    const store = await onSqlite.make();
    const first = await openPair({ store });
    const replica = await testServer({ store });
    const token = (await first.ask()).body.access_token as string;
    const seen = async () =>
      (
        await replica.post(
          '/introspect',
          { token },
          { authorization: basic('aware-rs', pairSecret) },
        )
      ).body.alt_cnf?.length;
    expect(await seen()).toBe(1);
    await first.server.admin('PATCH', 'clients/backend', { disabled: true });
    expect(await seen()).toBeUndefined();
    await first.server.admin('PATCH', 'clients/backend', { disabled: false });
    expect(await seen()).toBe(1);
    await first.server.admin('DELETE', `pairings/${first.pairing}`);
    expect(await seen()).toBeUndefined();
    await replica.stop();
    await first.server.stop();
    await store.remove();
  });
  it.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
    "the operator revokes the holder's key, on $name",
    async (kind) => {
      const own = await openPair({ kind });
      const token = (await own.ask()).body.access_token as string;
      expect((await own.server.admin('DELETE', `keys/${own.backendKey.jkt}/tokens`)).status).toBe(
        200,
      );
      expect(await altCnf(own, token)).toEqual([true, undefined]);
      await own.server.stop();
    },
  );
  it('cnf.jwks: the key of the holder leaves the set', async () => {
    const token = (await other.ask({ form: { resource: setForm } })).body.access_token as string;
    const keys = async () =>
      (await other.introspect(token, 'set-rs')).body.cnf.jwks.keys.map(
        ({ client_id }: JWTPayload) => client_id,
      );
    expect(await keys()).toEqual(['app', 'backend']);
    await other.server.admin('DELETE', `pairings/${other.pairing}`);
    expect(await keys()).toEqual(['app']);
  });
  it('RFC 7009 §2.1: the requester revokes the whole token, a stranger nothing', async () => {
    const token = (await other.ask()).body.access_token as string;
    await other.server.post('/revoke', { token }, { authorization: basic('thief', pairSecret) });
    expect(await altCnf(other, token)).toEqual([true, ['backend']]);
    await other.server.post('/revoke', { token }, { authorization: basic('app', pairSecret) });
    expect((await other.introspect(token)).body).toEqual({ active: false });
  });
  it('a resource server without alt_cnf_supported learns of the requester only', async () => {
    const token = (await other.ask()).body.access_token as string;
    expect((await other.introspect(token, 'unaware-rs')).body).toEqual({ active: false });
    const { items } = (await other.server.admin('GET', 'resource-servers')).body;
    const { id } = items.find(({ audience }: { audience: string }) => audience === aware);
    await other.server.admin('PATCH', `resource-servers/${id}`, { alt_cnf_supported: false });
    expect(await altCnf(other, token)).toEqual([true, undefined]);
    await other.server.admin('PATCH', `resource-servers/${id}`, { alt_cnf_supported: true });
  });
  it('there is no refresh that could add or swap a holder', async () => {
    expect(
      keysOf(await pair.ask({ form: { grant_type: 'refresh_token', refresh_token: 'x' } })),
    ).toBe('400 unsupported_grant_type');
  });
});
