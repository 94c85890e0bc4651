import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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
import { basic, testServer } from '../support/server.ts';
import { onSqlite } from '../support/stores.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await openPair();
});
beforeEach(async () => {
  pair = await pairAgain(pair);
});
afterAll(async () => pair.server.stop());

/** The pairing of app and backend is made anew, for these audiences only. */
const limitedTo = async (resources: readonly string[]) => {
  await pair.server.admin('DELETE', `pairings/${pair.pairing}`);
  expect(
    (
      await pair.server.admin('POST', 'pairings', {
        requester: 'app',
        holder: 'backend',
        resources,
      })
    ).status,
  ).toBe(201);
};
const tokenFor = async (form: object) =>
  (await pair.ask({ form: { req_alt_cnf: undefined, ...form } })).body.access_token as string;
/** The backend exchanges, with a proof for this very token. */
const exchanged = async (token: string, form: Readonly<Record<string, string>> = {}) =>
  pair.backendExchanges(token, form, pair.backendKey, { ath: ath(token) });
const received = async (token: string) => (await exchanged(token)).body.access_token as string;

describe('RFC 8693 §2.1: an exchange never exceeds the pairing', () => {
  it('an additional holder gets no token for a resource server outside the pairing', async () => {
    await limitedTo([aware]);
    const shared = (await pair.ask()).body.access_token as string;
    expect(keysOf(await exchanged(shared))).toEqual({ cnf: { jkt: pair.backendKey.jkt } });
    expect(keysOf(await exchanged(shared, { resource: unaware }))).toBe('400 invalid_grant');
  });
  it('nor by a second exchange, of the token that it got by the first', async () => {
    await limitedTo([aware, unaware]);
    for (const token of [
      (await pair.ask()).body.access_token as string,
      await tokenFor({ resource: unaware }),
    ]) {
      const own = await received(token);
      expect(decodeJwt(own)).toMatchObject({ sub: 'app', client_id: 'backend' });
      expect(keysOf(await exchanged(own, { resource: aware }))).toEqual({
        cnf: { jkt: pair.backendKey.jkt },
      });
      expect(keysOf(await exchanged(own, { resource: setForm }))).toBe('400 invalid_grant');
    }
  });
  it('nor for a resource server that the owner itself may not ask for, by however many exchanges', async () => {
    await pair.server.admin('PATCH', 'clients/app', { resources: [aware, unaware] });
    for (const token of [
      (await pair.ask()).body.access_token as string,
      await tokenFor({ resource: unaware }),
    ]) {
      expect(keysOf(await exchanged(token, { resource: setForm }))).toBe('400 invalid_target');
      const own = await received(token);
      expect(keysOf(await exchanged(own, { resource: setForm }))).toBe('400 invalid_target');
      expect(keysOf(await exchanged(await received(own), { resource: setForm }))).toBe(
        '400 invalid_target',
      );
    }
  });
  it('what came of it is good for no exchange once the owner is disabled', async () => {
    const own = await received(await tokenFor({ resource: unaware }));
    await pair.server.admin('PATCH', 'clients/app', { disabled: true });
    expect(keysOf(await exchanged(own))).toBe('400 invalid_request');
  });
  it('the actor shares what it got with nobody whom the owner did not name', async () => {
    await pair.server.admin('PATCH', 'clients/backend', { alt_cnf_holders: ['printer'] });
    await pair.server.admin('POST', 'pairings', {
      requester: 'backend',
      holder: 'printer',
      first_party: true,
    });
    const proof = () =>
      pair.cnfProof(
        { iss: 'printer', client_id: 'backend', cnf: { jkt: pair.backendKey.jkt } },
        {},
        pair.thiefKey,
      );
    const sharing = async () => ({
      resource: aware,
      req_alt_cnf: JSON.stringify([{ proof: await proof() }]),
    });
    expect(
      keysOf(await pair.backendExchanges(await tokenFor({ resource: unaware }), await sharing())),
    ).toBe('400 unauthorized_client');
    expect(
      keysOf(await exchanged((await pair.ask()).body.access_token as string, await sharing())),
    ).toBe('400 unauthorized_client');
  });
  it('no token of a compromised signing key is good for one, on a replica that has not heard of it either', async () => {
    const store = await onSqlite.make();
    const other = await openPair({ store });
    const replica = await testServer({ store });
    const token = (await other.ask({ form: { req_alt_cnf: undefined } })).body
      .access_token as string;
    const exchangedThere = async () =>
      replica.post('/token', exchangeForm(token), {
        authorization: basic('app', pairSecret),
        dpop: await other.appKey.proof({ ath: ath(token) }),
      });
    expect((await exchangedThere()).status).toBe(200);
    await other.server.admin('POST', `signing-keys/${decodeProtectedHeader(token).kid}/revoke`);
    expect(keysOf(await exchangedThere())).toBe('400 invalid_request');
    await replica.stop();
    await other.server.stop();
    await store.remove();
  });
});
