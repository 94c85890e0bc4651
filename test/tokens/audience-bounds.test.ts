import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { delegation } from '../support/delegation.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { ath, aware, exchangeForm, openPair, type Pair, unaware } from '../support/pair.ts';
import { audience, jwtBearerGrant, openPlatform, type Platform } from '../support/platform.ts';
import { type Answer, basic, issuer, startOfTime } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const other = 'https://other.example.com';
const secret = 's'.repeat(32);
const seconds = startOfTime / 1000;
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const outcome = ({ status, body }: Answer) =>
  status === 200 ? `token for ${String(decodeJwt(body.access_token as string).aud)}` : body.error;

describe.each(storeKinds)('a limit to resource servers outlives exchanges, on $name', (kind) => {
  let store: TestStore;
  let platform: Platform;
  let [holder, idp]: [TestKey, TestKey] = [] as never;
  beforeAll(async () => {
    [holder, idp] = [await testKey(), await testKey()];
    store = await kind.make();
    platform = await openPlatform({ store });
    const { admin } = platform.server;
    await admin('POST', 'resource-servers', { audience: other, scopes: ['read'] });
    const client = {
      client_secret: secret,
      scope: 'read',
      grant_types: [jwtBearerGrant, exchange],
    };
    for (const client_id of ['agent', 'helper'])
      await admin('POST', 'clients', { client_id, ...client });
    await admin('PATCH', 'clients/worker', {
      grant_types: ['client_credentials', exchange],
      alt_cnf_holders: ['helper'],
    });
    await admin('POST', 'pairings', { requester: 'worker', holder: 'helper', mode: 'proof' });
    await admin('PATCH', 'clients/helper', { alt_cnf_requesters: ['worker'] });
    await admin('POST', 'trusted-issuers', {
      issuer: 'https://idp.example.com',
      purposes: ['id_jag'],
      jwks: { keys: [{ ...idp.jwk, kid: 'idp-1' }] },
      subject_prefix: 'idp:',
    });
    const limits = { resources: [audience], scope: 'read' };
    await platform.rule({
      claims: { sub: 'batch' },
      client_id: 'agent',
      subject: 'w:{sub}',
      ...limits,
    });
    await platform.rule({ claims: { sub: 'web' }, client_id: 'worker', ...limits });
  });
  afterAll(async () => {
    await platform.server.stop();
    await store.remove();
  });

  const exchanged = async (token: string, resource: string, client = 'agent', by = holder) =>
    platform.server.post(
      '/token',
      { ...exchangeForm(token), resource, scope: 'read' },
      {
        authorization: basic(client, secret),
        dpop: await by.proof({ iat: seconds, ath: ath(token) }),
      },
    );
  const idJag = (resource: unknown) =>
    idp.sign(
      {
        iss: 'https://idp.example.com',
        sub: 'alice',
        aud: issuer,
        client_id: 'agent',
        jti: randomJti(),
        iat: seconds,
        exp: seconds + 300,
        resource,
        scope: 'read',
      },
      { typ: 'oauth-id-jag+jwt', kid: 'idp-1' },
    );
  const granted = async (assertion: string) => {
    const headers = { authorization: basic('agent', secret) };
    const form = { resource: audience };
    const { body } = await platform.grant(assertion, { by: holder, form, headers });
    return body.access_token as string;
  };

  it('`resource` of an ID-JAG', async () => {
    const token = await granted(await idJag(audience));
    expect(outcome(await exchanged(token, other))).toBe('invalid_target');
    expect(outcome(await exchanged(token, audience))).toBe(`token for ${audience}`);
    const both = await granted(await idJag([audience, other]));
    expect(outcome(await exchanged(both, other))).toBe(`token for ${other}`);
    const without = await granted(await idJag(undefined));
    expect(outcome(await exchanged(without, other))).toBe(`token for ${other}`);
  });
  it('and the exchange of what was exchanged', async () => {
    const token = await granted(await idJag(audience));
    const { body } = await exchanged(token, audience);
    expect(outcome(await exchanged(body.access_token as string, other))).toBe('invalid_target');
  });
  it('also where a release before did not record it between', async () => {
    const token = await granted(await idJag(audience));
    const { body } = await exchanged(token, audience);
    const second = body.access_token as string;
    await execute(
      store,
      `update audit_event set detail = null where jti = '${decodeJwt(second).jti}'`,
    );
    expect(outcome(await exchanged(second, other))).toBe('invalid_target');
  });
  it('`resources` of the rule behind a grant', async () => {
    const token = await granted(await platform.token({ sub: 'batch' }));
    expect(decodeJwt(token).sub).toBe('w:batch');
    expect(outcome(await exchanged(token, other))).toBe('invalid_target');
    expect(outcome(await exchanged(token, audience))).toBe(`token for ${audience}`);
  });
  it('`resources` of the rule that authenticated the client, whoever exchanges its token', async () => {
    const { body } = await platform.authenticate(await platform.token({ sub: 'web' }), {
      by: holder,
      form: { resource: audience },
    });
    const token = body.access_token as string;
    const by = await testKey();
    expect(decodeJwt(token)['may_act']).toMatchObject({ client_id: 'helper' });
    expect(outcome(await exchanged(token, other, 'helper', by))).toBe('invalid_target');
    expect(outcome(await exchanged(token, audience, 'helper', by))).toBe(`token for ${audience}`);
  });
});

describe.each(storeKinds)('the resource servers in a subject_token_proof, on $name', (kind) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await openPair({ kind });
  });
  afterAll(async () => pair.server.stop());
  const delegated = async (resource: unknown) => {
    const made = await delegation(pair);
    const { body } = await made.ask({ claims: { resource } });
    const token = body.access_token as string;
    return async (target: string) =>
      outcome(
        await pair.backendExchanges(token, { resource: target, scope: 'read' }, pair.backendKey, {
          ath: ath(token),
        }),
      );
  };
  it('limit what the actor makes of the token', async () => {
    const ask = await delegated(unaware);
    expect([await ask(aware), await ask(unaware)]).toEqual([
      'invalid_target',
      `token for ${unaware}`,
    ]);
  });
  it('are all that the proof names', async () => {
    const ask = await delegated([unaware, aware]);
    expect([await ask(aware), await ask(unaware)]).toEqual([
      `token for ${aware}`,
      `token for ${unaware}`,
    ]);
  });
});
