import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { redisServer } from '../support/redis-server.ts';
import { basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite, storeKinds, type TestStore } from '../support/stores.ts';
import {
  audience,
  clientSecret,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const hour = 3600;
const form = { grant_type: 'client_credentials' };
const env = { CLEANUP_INTERVAL: '1', ACCESS_TOKEN_MAX_LIFETIME: String(hour) };

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a replica whose clock is wrong by an hour, on $name',
  (kind) => {
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    let rs: string;
    let wrong: TestServer | undefined;
    const [right, other] = [{ now: startOfTime }, { now: startOfTime }];
    beforeEach(async () => {
      store = await kind.make();
      right.now = startOfTime;
      // Only the other replica deletes: this one's interval is longer than the test.
      fixture = await tokenEndpointFixture({
        store,
        clock: right,
        env: { ...env, CLEANUP_INTERVAL: '3600' },
      });
      const [{ id }] = (await fixture.server.admin('GET', 'resource-servers')).body.items;
      const changed = await fixture.server.admin('PATCH', `resource-servers/${id}`, {
        client_secret: clientSecret,
        access_token_lifetime: hour,
      });
      rs = changed.body.client_id;
    });
    afterEach(async () => {
      await wrong?.stop();
      await fixture.server.stop();
      await store.remove();
    });

    const start = async (difference: number) => {
      other.now = startOfTime + difference * 1000;
      wrong = await testServer({ store, clock: other, databaseClock: right, env });
      return wrong;
    };
    const move = (by: number) => {
      right.now += by * 1000;
      other.now += by * 1000;
    };
    const ask = async (dpop: string) =>
      fixture.server.post('/token', form, { authorization: basic('app', clientSecret), dpop });
    const isActive = async (token: string) =>
      (
        await fixture.server.post(
          '/introspect',
          { token },
          { authorization: basic(rs, clientSecret) },
        )
      ).body.active as boolean;
    /** Resolves after a whole round in which the other replica deleted what had expired. */
    const deleted = async () => {
      for (let rounds = 0; rounds < 2; rounds++) {
        const expired = Math.floor(right.now / 1000) - 1000;
        await execute(
          store,
          `insert into withdrawn_holder (jti, client_id, expires_at) values ('sign', 'x', ${expired})`,
        );
        const left = async () =>
          execute(store, "select count(*) from withdrawn_holder where jti = 'sign'");
        for (let tries = 0; tries < 400 && Number((await left())[0]?.[0]) > 0; tries++)
          await sleep(25);
        expect(Number((await left())[0]?.[0])).toBe(0);
      }
    };

    it('RFC 9449 §11.1: ahead, it deletes no replay record and no revocation that others need', async () => {
      const dpop = await fixture.key.proof();
      const token = (await ask(dpop)).body.access_token as string;
      await fixture.server.post(
        '/revoke',
        { token },
        { authorization: basic('app', clientSecret) },
      );
      const server = await start(2 * hour);
      await deleted();
      expect([(await ask(dpop)).body.error, await isActive(token)]).toEqual([
        'invalid_dpop_proof',
        false,
      ]);
      expect(server.logs.map(({ msg }) => msg)).toContain(
        "the clock of this machine is 7200 s ahead of the database's: synchronize it with NTP",
      );
    });

    it.each([
      ['of a client', 'clients/app/tokens'],
      ['of a key', ''],
    ])('ahead, it revokes all live tokens %s', async (_what, path) => {
      const token = (await ask(await fixture.key.proof())).body.access_token as string;
      const server = await start(2 * hour);
      const revoked = await server.admin('DELETE', path || `keys/${fixture.key.jkt}/tokens`);
      expect([revoked.body, await isActive(token)]).toEqual([{ revoked: 1 }, false]);
    });

    it('ahead, it revokes the tokens of a deleted client', async () => {
      const token = (await ask(await fixture.key.proof())).body.access_token as string;
      const server = await start(2 * hour);
      await server.admin('DELETE', 'clients/app');
      const { jti } = decodeJwt(token);
      expect(
        Number(
          (await execute(store, `select count(*) from revoked_token where jti = '${jti}'`))[0]?.[0],
        ),
      ).toBe(1);
    });

    it('RFC 7009: behind, its revocation lasts as long as the token', async () => {
      const token = (await ask(await fixture.key.proof())).body.access_token as string;
      const server = await start(-hour);
      const { jti, exp = 0 } = decodeJwt(token);
      expect(exp - seconds).toBe(hour);
      expect((await server.admin('DELETE', `tokens/${jti}`)).status).toBe(204);
      move(hour - 60);
      await deleted();
      expect(await isActive(token)).toBe(false);
    });
  },
);

describe.runIf(process.env['TEST_REDIS_URL'] !== undefined)('replay records in Redis', () => {
  it('RFC 9449 §11.1: a replica an hour ahead keeps its records until the others find them expired', async () => {
    const redis = await redisServer();
    const store = await onSqlite.make();
    const server = await tokenEndpointFixture({
      store: { ...store, env: { ...store.env, REDIS_URL: redis.url } },
      clock: { now: startOfTime + hour * 1000 },
      databaseClock: { now: startOfTime },
    });
    while ((await server.server.get('/health/ready')).status !== 200) await sleep(20);
    const answer = await server.send({
      form: { ...form, resource: audience },
      dpop: await server.key.proof({ iat: seconds + hour }),
    });
    expect(answer.status).toBe(200);
    const [record] = (await redis.command('KEYS', '*:replay:*')) as string[];
    expect(Number(await redis.command('TTL', record ?? ''))).toBeGreaterThan(hour);
    await server.server.stop();
    await redis.remove();
    await store.remove();
  });
});
