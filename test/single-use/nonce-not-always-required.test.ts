import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, startOfTime } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStoreKind } from '../support/stores.ts';
import { clientSecret, seconds, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const env = { CLEANUP_INTERVAL: '1', DPOP_NONCE_LIFETIME: '600' };

/** A server with a client that needs nonces and one that does not. */
async function opened(kind: TestStoreKind) {
  const store = await kind.make();
  const clock = { now: startOfTime };
  const fixture = await tokenEndpointFixture({ store, clock, env });
  const { server, key } = fixture;
  await server.admin('POST', 'clients', {
    client_id: 'careful',
    client_secret: clientSecret,
    scope: 'read',
    dpop_nonce_required: true,
  });
  const count = async () =>
    Number((await execute(store, "select count(*) from replay_record where key = 'sign'"))[0]?.[0]);
  return {
    server,
    key,
    ask: async (client: string, dpop: string) =>
      fixture.outcome({ authorization: basic(client, clientSecret), dpop }),
    async nonce() {
      const authorization = basic('careful', clientSecret);
      return String((await fixture.send({ authorization })).headers['dpop-nonce']);
    },
    /** Moves the clock, and resolves after a whole round that deleted what had expired. */
    async later(by: number) {
      clock.now += by * 1000;
      for (let rounds = 0; rounds < 2; rounds++) {
        await execute(store, "insert into replay_record (key, expires_at) values ('sign', 1)");
        for (let tries = 0; (await count()) > 0; tries++) {
          if (tries === 400) throw new Error('nothing was deleted');
          await sleep(25);
        }
      }
    },
    async close() {
      await server.stop();
      await store.remove();
    },
  };
}
type Opened = Awaited<ReturnType<typeof opened>>;

// In Redis, records expire by real time.
describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'RFC 9449 §11.1: a proof with a nonce, which one client needs and another does not, on $name',
  (kind) => {
    // Each waits for rounds of its own server: they wait together.
    it.concurrent.for<[string, number, readonly string[], number]>([
      ['by its nonce, then by its iat', 3600, ['careful', 'app'], 3590],
      ['by its iat, then by its nonce', 0, ['app', 'careful'], 1100],
      ['by its nonce, then by its iat an hour later', 3590, ['careful', 'app'], 3580],
    ])('counts once: %s', async ([, ahead, [first = '', second = ''], wait], { expect }) => {
      const { ask, close, key, later, nonce } = await opened(kind);
      const dpop = await key.proof({ nonce: await nonce(), iat: seconds + ahead });
      expect(await ask(first, dpop)).toBe(`200 ${key.jkt}`);
      await later(wait);
      expect(await ask(second, dpop)).toBe('400 invalid_dpop_proof');
      await close();
    });
    it.concurrent('counts once when its client needs a nonce no longer', async ({ expect }) => {
      const { ask, close, key, later, nonce, server } = await opened(kind);
      const dpop = await key.proof({ nonce: await nonce(), iat: seconds + 3590 });
      expect(await ask('careful', dpop)).toBe(`200 ${key.jkt}`);
      await server.admin('PATCH', 'clients/careful', { dpop_nonce_required: false });
      await later(3580);
      expect(await ask('careful', dpop)).toBe('400 invalid_dpop_proof');
      await close();
    });

    let at: Opened;
    beforeAll(async () => {
      at = await opened(kind);
    });
    afterAll(async () => at.close());
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
      const dpop = await at.key.proof({ nonce: await at.nonce(), iat: seconds + ahead });
      expect((await at.ask('careful', dpop)).replace(` ${at.key.jkt}`, '')).toBe(expected);
    });
  },
);
