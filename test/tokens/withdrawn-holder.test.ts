import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ath, openPair, type Pair, unaware } from '../support/pair.ts';
import { execute } from '../support/sql.ts';
import { stateAt } from '../support/status-list.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const listed = 'https://listed.example.com';

describe.each(storeKinds)('a holder that withdraws from a token (RFC 7009), on $name', (kind) => {
  let store: TestStore;
  let pair: Pair;
  beforeAll(async () => {
    store = await kind.make();
    pair = await openPair({ store, env: { STATUS_LIST_MAX_AGE: '120' } });
    await pair.server.admin('POST', 'resource-servers', {
      audience: listed,
      scopes: ['read'],
      status_list_enabled: true,
    });
  });
  afterAll(async () => {
    await pair.server.stop();
    await store.remove();
  });

  const now = () => Math.floor(pair.server.clock.now / 1000);
  const shared = async () => (await pair.ask()).body.access_token as string;
  const exchanged = async (token: string, resource: string) =>
    (
      await pair.backendExchanges(token, { resource, scope: 'read' }, pair.backendKey, {
        ath: ath(token),
      })
    ).body.access_token as string;
  const withdraw = async (token: string) =>
    pair.server.post('/revoke', {
      token,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await pair.backendKey.assertion('backend', { iat: now(), exp: now() + 60 }),
    });
  const active = async (token: string) =>
    (await pair.introspect(token, 'unaware-rs')).body.active as boolean;

  it('takes along what it exchanged the token for, and what came of that', async () => {
    const token = await shared();
    const first = await exchanged(token, unaware);
    const second = await exchanged(first, unaware);
    expect([await active(first), await active(second)]).toEqual([true, true]);
    expect((await withdraw(token)).status).toBe(200);
    expect([await active(first), await active(second)]).toEqual([false, false]);
  });
  it('also where a status list is all that is looked at', async () => {
    const token = await shared();
    const other = await exchanged(token, listed);
    expect(await stateAt(pair.server, other)).toBe('valid');
    await withdraw(token);
    pair.server.clock.now += 121_000;
    expect(await stateAt(pair.server, other)).toBe('invalid');
  });
  it('in a status list, even of what was exchanged at that very moment', async () => {
    const token = await shared();
    const other = await exchanged(token, listed);
    // Another replica issued it just before it could see the withdrawal.
    await execute(
      store,
      `insert into withdrawn_holder (jti, client_id, expires_at) values ('${decodeJwt(token).jti}', 'backend', ${now() + 600})`,
    );
    pair.server.clock.now += 121_000;
    expect(await stateAt(pair.server, other)).toBe('invalid');
  });
  it('leaves the requester what the requester exchanged it for', async () => {
    const token = await shared();
    const { body } = await pair.ask({
      form: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        resource: unaware,
        req_alt_cnf: undefined,
      },
      dpop: await pair.appKey.proof({
        iat: now(),
        ath: ath(token),
      }),
    });
    await withdraw(token);
    expect(await active(body.access_token as string)).toBe(true);
  });
});
