import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ath, openPair, type Pair, unaware } from '../support/pair.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a revoked pairing on $name',
  (kind) => {
    let store: TestStore;
    let pair: Pair;
    beforeAll(async () => {
      store = await kind.make();
      pair = await openPair({ store });
    });
    afterAll(async () => {
      await pair.server.stop();
      await store.remove();
    });
    const ofApp = async () =>
      (await pair.ask({ form: { resource: unaware, req_alt_cnf: undefined } })).body
        .access_token as string;
    const active = async (token: string) =>
      (await pair.introspect(token, 'unaware-rs')).body.active as boolean;

    it('takes along what was exchanged under it, and what was exchanged for that; nothing else, and a later pairing does not bring it back', async () => {
      const subject = await ofApp();
      const exchanged = (await pair.backendExchanges(subject)).body.access_token as string;
      const again = (
        await pair.backendExchanges(exchanged, {}, pair.backendKey, { ath: ath(exchanged) })
      ).body.access_token as string;
      const own = (await pair.backendSignsIn()).body.access_token as string;
      expect(decodeJwt(again)['act']).toBeDefined();
      expect(await Promise.all([subject, exchanged, again, own].map(active))).toEqual([
        true,
        true,
        true,
        true,
      ]);
      await pair.server.admin('POST', `pairings/${pair.pairing}/revoke`);
      expect(await Promise.all([subject, exchanged, again, own].map(active))).toEqual([
        true,
        false,
        false,
        true,
      ]);
      expect(
        (await pair.backendExchanges(exchanged, {}, pair.backendKey, { ath: ath(exchanged) }))
          .status,
      ).toBe(400);
      await pair.server.admin('POST', 'pairings', { requester: 'app', holder: 'backend' });
      expect(await Promise.all([exchanged, again].map(active))).toEqual([false, false]);
    });

    it('made, used, revoked and made again in one moment: the tokens of the new pairing live, those of the old are dead', async () => {
      const { body: listed } = await pair.server.admin(
        'GET',
        'pairings?requester=app&holder=backend',
      );
      let pairing = listed.items[0].id as string;
      const made = async () => {
        const shared = (await pair.ask()).body.access_token as string;
        const single = await ofApp();
        const exchanged = (await pair.backendExchanges(single)).body.access_token as string;
        return { shared, single, exchanged };
      };
      const outcome = async ({ shared, single, exchanged }: Awaited<ReturnType<typeof made>>) => {
        const { body } = await pair.introspect(shared);
        return {
          shared: [
            body.active,
            body.alt_cnf?.map(({ client_id }: { client_id: string }) => client_id),
          ],
          byHolder: (
            await pair.backendExchanges(shared, { resource: unaware }, pair.backendKey, {
              ath: ath(shared),
            })
          ).body.error,
          byActor: (await pair.backendExchanges(single)).body.error,
          exchanged: await active(exchanged),
        };
      };
      const live = {
        shared: [true, ['backend']],
        byHolder: undefined,
        byActor: undefined,
        exchanged: true,
      };
      const dead = {
        shared: [true, undefined],
        byHolder: 'invalid_grant',
        byActor: 'invalid_grant',
        exchanged: false,
      };
      const before = await made();
      expect(await outcome(before)).toEqual(live);
      for (let times = 0; times < 2; times++) {
        await pair.server.admin('POST', `pairings/${pairing}/revoke`);
        expect(await outcome(before)).toEqual(dead);
        const between = await ofApp();
        ({ id: pairing } = (
          await pair.server.admin('POST', 'pairings', { requester: 'app', holder: 'backend' })
        ).body);
        expect((await pair.backendExchanges(between)).body.error).toBe('invalid_grant');
        expect([await outcome(before), await outcome(await made())]).toEqual([dead, live]);
      }
    });

    it('is in the audit trail once, like its beginning; so are trusted issuers', async () => {
      await pair.server.admin('DELETE', `pairings/${pair.pairing}`);
      const events = async (type: string) =>
        (await pair.server.admin('GET', `audit-events?type=${type}`)).body.items as {
          detail: object;
        }[];
      const made = await pair.server.admin('POST', 'pairings', {
        requester: 'app',
        holder: 'unpaired',
      });
      for (let times = 0; times < 2; times++)
        await pair.server.admin('DELETE', `pairings/${made.body.id}`);
      const named = (found: { detail: object }[]) =>
        found.filter(({ detail }) => 'id' in detail && detail.id === made.body.id);
      const expected = {
        actor: 'admin:bootstrap',
        client_id: 'app',
        detail: { id: made.body.id, holder: 'unpaired' },
      };
      expect(named(await events('pairing_created'))).toMatchObject([expected]);
      expect(named(await events('pairing_revoked'))).toMatchObject([expected]);
      const issuer = {
        issuer: 'https://op.example.com',
        audience: 'x',
        jwks_uri: 'https://op.example.com/jwks',
      };
      const trusted = await pair.server.admin('POST', 'trusted-issuers', issuer);
      await pair.server.admin('DELETE', `trusted-issuers/${trusted.body.id}`);
      expect(await events('trusted_issuer_created')).toMatchObject([
        { detail: { id: trusted.body.id, issuer: issuer.issuer } },
      ]);
      expect(await events('trusted_issuer_deleted')).toMatchObject([
        { detail: { id: trusted.body.id } },
      ]);
    });
  },
);
