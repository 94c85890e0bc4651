import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { basic, startOfTime, type TestServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  clientSecret,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const env = { CLEANUP_INTERVAL: '1', DPOP_NONCE_LIFETIME: '600' };

// In Redis, records expire by real time.
describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'RFC 9449 §11.1: a proof with a nonce, which one client needs and another does not, on $name',
  (kind) => {
    let [store, fixture, server]: [TestStore, TokenEndpointFixture, TestServer] = [] as never;
    const clock = { now: startOfTime };
    beforeEach(async () => {
      store = await kind.make();
      clock.now = startOfTime;
      fixture = await tokenEndpointFixture({ store, clock, env });
      ({ server } = fixture);
      await server.admin('POST', 'clients', {
        client_id: 'careful',
        client_secret: clientSecret,
        scope: 'read',
        dpop_nonce_required: true,
      });
    });
    afterEach(async () => {
      await server.stop();
      await store.remove();
    });
    const ask = (client: string, dpop: string) =>
      fixture.outcome({ authorization: basic(client, clientSecret), dpop });
    const nonceOf = async () => {
      const authorization = basic('careful', clientSecret);
      return String((await fixture.send({ authorization })).headers['dpop-nonce']);
    };
    /** Moves the clock, and resolves after a whole round that deleted what had expired. */
    const later = async (by: number) => {
      clock.now += by * 1000;
      const count = async () =>
        Number(
          (await execute(store, "select count(*) from replay_record where key = 'sign'"))[0]?.[0],
        );
      for (let rounds = 0; rounds < 2; rounds++) {
        await execute(store, "insert into replay_record (key, expires_at) values ('sign', 1)");
        for (let tries = 0; tries < 400 && (await count()) > 0; tries++) await sleep(25);
        expect(await count()).toBe(0);
      }
    };

    it.each<[string, number, readonly string[], number]>([
      ['by its nonce, then by its iat', 3600, ['careful', 'app'], 3590],
      ['by its iat, then by its nonce', 0, ['app', 'careful'], 1100],
      ['by its nonce, then by its iat an hour later', 3590, ['careful', 'app'], 3580],
    ])('counts once: %s', async (_, ahead, [first = '', second = ''], wait) => {
      const dpop = await fixture.key.proof({ nonce: await nonceOf(), iat: seconds + ahead });
      expect(await ask(first, dpop)).toBe(`200 ${fixture.key.jkt}`);
      await later(wait);
      expect(await ask(second, dpop)).toBe('400 invalid_dpop_proof');
    });
    it('counts once when its client needs a nonce no longer', async () => {
      const dpop = await fixture.key.proof({ nonce: await nonceOf(), iat: seconds + 3590 });
      expect(await ask('careful', dpop)).toBe(`200 ${fixture.key.jkt}`);
      await server.admin('PATCH', 'clients/careful', { dpop_nonce_required: false });
      await later(3580);
      expect(await ask('careful', dpop)).toBe('400 invalid_dpop_proof');
    });
    it.each<[string, number, string]>([
      ['by a clock ten years behind is accepted', -315_360_000, '200'],
      ['by a clock an hour ahead is accepted', 3600, '200'],
      [
        'from further ahead is refused, for its record would stay as long',
        3601,
        '400 invalid_dpop_proof',
      ],
      ['from the end of time is refused', Number.MAX_VALUE, '400 invalid_dpop_proof'],
    ])('%s', async (_, ahead, expected) => {
      const dpop = await fixture.key.proof({ nonce: await nonceOf(), iat: seconds + ahead });
      expect((await ask('careful', dpop)).replace(` ${fixture.key.jkt}`, '')).toBe(expected);
    });
  },
);
