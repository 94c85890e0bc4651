import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TestKey, testKey } from '../support/keys.ts';
import { audience, openPlatform, type Platform, shortly } from '../support/platform.ts';
import { platformAgain } from '../support/platform-again.ts';
import { startOfTime, type TestServer, testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const ofOrders = { '/kubernetes.io/namespace': 'orders' };
let [mine, other]: [TestKey, TestKey] = [] as never;
beforeAll(async () => {
  [mine, other] = [await testKey(), await testKey()];
});

describe('RFC 7523 §2.2: a platform’s token authenticates the client of a rule', () => {
  let [opened, platform]: [Platform, Platform] = [] as never;
  beforeAll(async () => {
    opened = await openPlatform();
  });
  beforeEach(async () => {
    platform = await platformAgain(opened);
  });
  afterAll(async () => opened.server.stop());

  it('and its access token is bound to the key that the workload proves', async () => {
    const rule = await platform.rule({ claims: ofOrders, client_id: 'worker' });
    const { body } = await platform.authenticate(await platform.token(), { by: mine });
    expect(body.token_type).toBe('DPoP');
    expect(decodeJwt(body.access_token)).toMatchObject({
      sub: 'worker',
      client_id: 'worker',
      aud: audience,
      scope: 'read write',
      cnf: { jkt: mine.jkt },
    });
    const events = await platform.events('token_issued');
    expect(events.filter(({ client_authority }) => client_authority === rule)).toHaveLength(1);
  });
  it.each<[string, string, object]>([
    ['no proof', '400 invalid_request', { proof: null }],
    ['another client_id', '401 invalid_client', { form: { client_id: 'app' } }],
    ['its own client_id', '200 worker', { form: { client_id: 'worker' } }],
    ['a secret beside it', '400 invalid_request', { form: { client_secret: 'x' } }],
  ])('with %s: %s', async (_, expected, options) => {
    await platform.rule({ claims: ofOrders, client_id: 'worker' });
    expect(shortly(await platform.authenticate(await platform.token(), options))).toBe(expected);
  });
  it('is shown many times, but each proof counts once', async () => {
    await platform.rule({ claims: ofOrders, client_id: 'worker' });
    const token = await platform.token();
    const proof = await mine.proof();
    expect(shortly(await platform.authenticate(token, { proof }))).toBe('200 worker');
    expect(shortly(await platform.authenticate(token, { proof }))).toBe('400 invalid_dpop_proof');
    expect(shortly(await platform.authenticate(token, { by: mine }))).toBe('200 worker');
  });
  it('the rule limits scope, resources and life, and a client that lacks the scope gains none', async () => {
    const limits = { scope: 'read admin', resources: [audience], access_token_lifetime: 60 };
    await platform.rule({ claims: ofOrders, client_id: 'worker', ...limits });
    const token = await platform.token();
    const { body } = await platform.authenticate(token);
    expect([body.scope, body.expires_in]).toEqual(['read', 60]);
    const wider = { form: { scope: 'write' } };
    expect(shortly(await platform.authenticate(token, wider))).toBe('400 invalid_scope');
    const elsewhere = { form: { resource: 'https://elsewhere.example.com' } };
    expect(shortly(await platform.authenticate(token, elsewhere))).toBe('400 invalid_target');
  });
  it('the first rule by priority wins, and of equals the older one', async () => {
    const client = { token_endpoint_auth_method: 'workload_jwt' };
    await platform.server.admin('POST', 'clients', { client_id: 'second', ...client });
    await platform.rule({ claims: ofOrders, client_id: 'second', priority: 20 });
    const token = await platform.token();
    expect(shortly(await platform.authenticate(token))).toBe('200 second');
    await platform.rule({ claims: { sub: 'system:*' }, client_id: 'worker', priority: 10 });
    expect(shortly(await platform.authenticate(token))).toBe('200 worker');
  });
  it.each<[string, (platform: Platform) => Promise<unknown>]>([
    ['is disabled', ({ server }) => server.admin('PATCH', 'clients/worker', { disabled: true })],
    ['is deleted', ({ server }) => server.admin('DELETE', 'clients/worker')],
    [
      'has another method by now',
      ({ server }) => server.admin('PUT', 'clients/worker', { client_secret: 's'.repeat(32) }),
    ],
    [
      'was registered anew under its name',
      async ({ server }) => {
        await server.admin('DELETE', 'clients/worker');
        const method = { token_endpoint_auth_method: 'workload_jwt' };
        await server.admin('POST', 'clients', { client_id: 'worker', ...method });
      },
    ],
  ])('a client that %s is not authenticated', async (_, act) => {
    await platform.rule({ claims: ofOrders, client_id: 'worker' });
    const token = await platform.token();
    expect(shortly(await platform.authenticate(token))).toBe('200 worker');
    await act(platform);
    expect(shortly(await platform.authenticate(token))).toBe('401 invalid_client');
  });
  it('without a rule that matches: nothing outward, everything in the audit trail, once', async () => {
    const rule = await platform.rule({
      claims: { ...ofOrders, sub: 'system:serviceaccount:orders:api', extra: 'x' },
      client_id: 'worker',
    });
    const earlier = (await platform.events('token_refused')).map(({ id }) => id);
    const token = await platform.token();
    const refused = await platform.authenticate(token);
    const unknown = await platform.authenticate(await platform.token({ iss: 'https://x.example' }));
    expect([refused.status, refused.body]).toEqual([unknown.status, unknown.body]);
    await platform.authenticate(token);
    const events = await platform.events('token_refused');
    expect(events.filter(({ id }) => !earlier.includes(id))).toMatchObject([
      {
        actor: `trusted_issuer:${platform.id}`,
        reason: 'platform_token_no_rule',
        detail: {
          issuer: 'https://platform.example.com',
          subject: 'system:serviceaccount:orders:worker',
          rules: [
            {
              rule,
              unmet: [
                { claim: 'sub', because: 'another value' },
                { claim: 'extra', because: 'absent' },
              ],
            },
          ],
        },
      },
    ]);
  });
  it('RFC 7800 §3.1: a token that is bound itself needs a proof by that key', async () => {
    await platform.rule({ claims: ofOrders, client_id: 'worker' });
    const token = await platform.token({ cnf: { jkt: mine.jkt } });
    expect(shortly(await platform.authenticate(token, { by: other }))).toBe('401 invalid_client');
    expect(shortly(await platform.authenticate(token, { by: mine }))).toBe('200 worker');
    const odd = await platform.token({ cnf: { kid: 'x' } });
    expect(shortly(await platform.authenticate(odd, { by: mine }))).toBe('401 invalid_client');
  });
  it('does not authenticate where nothing proves a key: revocation, introspection', async () => {
    await platform.rule({ claims: ofOrders, client_id: 'worker' });
    const form = {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await platform.token(),
      token: 'x',
    };
    for (const path of ['/revoke', '/introspect'])
      expect(shortly(await platform.server.post(path, form))).toBe('401 invalid_client');
  });
  it('what was issued by it ends with its rule', async () => {
    const rule = await platform.rule({ claims: ofOrders, client_id: 'worker' });
    const { body } = await platform.authenticate(await platform.token());
    const active = async () => {
      const authorization = `Basic ${Buffer.from(`rs:${'r'.repeat(32)}`).toString('base64')}`;
      const form = { token: body.access_token as string };
      return (await platform.server.post('/introspect', form, { authorization })).body.active;
    };
    expect(await active()).toBe(true);
    await platform.server.admin('PATCH', `trusted-issuers/${platform.id}/rules/${rule}`, {
      scope: 'read',
    });
    expect(await active()).toBe(true);
    await platform.server.admin('DELETE', `trusted-issuers/${platform.id}/rules/${rule}`);
    expect(await active()).toBe(false);
  });
});

describe.each(storeKinds)('50 parallel requests with one platform token, on $name', (kind) => {
  let store: TestStore;
  let platform: Platform;
  let replicas: readonly TestServer[];
  const clock = { now: startOfTime };
  beforeAll(async () => {
    store = await kind.make();
    platform = await openPlatform({ store, clock });
    replicas = [platform.server, await testServer({ store, clock })];
  });
  afterAll(async () => {
    await Promise.all(replicas.map(async (replica) => replica.stop()));
    await store.remove();
  });
  const all = async (request: (index: number, server: TestServer) => Promise<unknown>) => {
    const fifty = Array.from({ length: 50 }, async (_, index) =>
      request(index, replicas[index % 2] as TestServer),
    );
    return Map.groupBy(await Promise.all(fifty), (outcome) => outcome);
  };
  const counts = (outcomes: Map<unknown, readonly unknown[]>) =>
    Object.fromEntries([...outcomes].map(([outcome, { length }]) => [outcome, length]));

  it('one key and 50 proofs: all succeed; one proof: exactly one does', async () => {
    await platform.rule({ claims: ofOrders, client_id: 'worker' });
    const token = await platform.token();
    const ask = async (options: object) => shortly(await platform.authenticate(token, options));
    expect(counts(await all(async (_, server) => ask({ by: mine, server })))).toEqual({
      '200 worker': 50,
    });
    const proof = await mine.proof();
    expect(counts(await all(async (_, server) => ask({ proof, server })))).toEqual({
      '200 worker': 1,
      '400 invalid_dpop_proof': 49,
    });
    expect(await platform.events('assertion_second_key')).toEqual([]);
    await all(async (_, server) => ask({ by: other, server }));
    expect(await platform.events('assertion_second_key')).toMatchObject([
      { client_id: 'worker', jkt: other.jkt, detail: { first_jkt: mine.jkt } },
    ]);
  });
  it('pinned: the first key counts and no second one does, whoever comes first', async () => {
    const pinned = { claims: { sub: 'pinned' }, client_id: 'worker', priority: 1, pin: true };
    await platform.rule(pinned);
    const token = await platform.token({ sub: 'pinned' });
    const outcomes = await all(async (index, server) => {
      const by = index % 4 < 2 ? mine : other;
      const { status } = await platform.authenticate(token, { by, server });
      return `${by === mine ? 'mine' : 'other'} ${status}`;
    });
    const kinds = [...outcomes.keys()].sort((a, b) => String(a).localeCompare(String(b)));
    expect([
      ['mine 200', 'other 401'],
      ['mine 401', 'other 200'],
    ]).toContainEqual(kinds);
    // Another signature makes no other token of it.
    const [header, payload, signature = ''] = token.split('.');
    const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const rs = Buffer.from(signature, 'base64url').toString('hex');
    const s = (n - BigInt(`0x${rs.slice(64)}`)).toString(16).padStart(64, '0');
    const again = Buffer.from(rs.slice(0, 64) + s, 'hex').toString('base64url');
    const loser = kinds.includes('mine 200') ? other : mine;
    const twin = await platform.authenticate(`${header}.${payload}.${again}`, { by: loser });
    expect([twin.status, twin.body.error_description]).toEqual([
      401,
      'the token of the platform was used with another key before',
    ]);
  });
});
