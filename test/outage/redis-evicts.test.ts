import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type RedisServer, redisServer } from '../support/redis-server.ts';
import { basic, startOfTime } from '../support/server.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const form = { grant_type: 'client_credentials' };
const authorization = basic('app', clientSecret);

describe.runIf(process.env['TEST_REDIS_URL'] !== undefined)(
  'a Redis that may evict replay records',
  { timeout: 60_000 },
  () => {
    let redis: RedisServer;
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    const clock = { now: startOfTime };
    const start = async (...options: string[]) => {
      redis = await redisServer(...options);
      store = await onSqlite.make();
      const env = { ...store.env, REDIS_URL: redis.url };
      clock.now = startOfTime;
      fixture = await tokenEndpointFixture({ store: { ...store, env }, clock });
    };
    afterEach(async () => {
      await fixture.server.stop();
      await redis.remove();
      await store.remove();
    });
    const proof = async () => fixture.key.proof({ iat: clock.now / 1000 });
    const ask = async (dpop: string) =>
      (await fixture.server.post('/token', form, { authorization, dpop })).status;
    /** Asks for readiness until it says this of replay, at most 20 s. */
    const replayIs = async (state: 'up' | 'down') => {
      for (let tries = 0; tries < 200; tries++) {
        const { body } = await fixture.server.get('/health/ready');
        if (body.replay === state) return;
        await sleep(100);
      }
      throw new Error(`replay is never ${state}`);
    };
    const set = async (...settings: string[]) => redis.command('CONFIG', 'SET', ...settings);
    const warnings = () =>
      fixture.server.logs.filter(
        ({ level, msg }) => level === 50 && String(msg).includes('may evict replay records'),
      );
    /** Until whatever the Redis may have forgotten is too old. */
    const muchLater = () => (clock.now += 130_000);

    it('is refused from the start, until its policy is noeviction', async () => {
      await start('--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru');
      await replayIs('down');
      expect(await ask(await proof())).toBe(503);
      await sleep(2500);
      expect(warnings()).toHaveLength(1);
      expect(warnings()[0]?.['msg']).toContain('set its maxmemory-policy to noeviction');
      await set('maxmemory-policy', 'noeviction');
      await replayIs('up');
      // Records count as lost, as after a restart of Redis.
      expect(await ask(await proof())).toBe(503);
      muchLater();
      expect(await ask(await proof())).toBe(200);
    });

    it('is noticed while connected, and no used proof counts again afterwards', async () => {
      await start();
      await replayIs('up');
      const used = await proof();
      expect(await ask(used)).toBe(200);
      await set('maxmemory-policy', 'volatile-ttl', 'maxmemory', '100mb');
      await replayIs('down');
      expect([await ask(used), await ask(await proof())]).toEqual([503, 503]);
      // As Redis does under pressure: the records go, and what has no end stays.
      await redis.command(
        'EVAL',
        "for _, key in ipairs(redis.call('keys', '*:replay:*')) do redis.call('del', key) end",
        '0',
      );
      await set('maxmemory-policy', 'noeviction');
      await replayIs('up');
      expect(await ask(used)).toBe(503);
      muchLater();
      expect(await ask(await proof())).toBe(200);
      expect(warnings()).toHaveLength(1);
      await set('maxmemory-policy', 'allkeys-lru');
      await replayIs('down');
      expect(warnings()).toHaveLength(2);
      // Without a limit nothing is evicted, whatever the policy.
      await set('maxmemory', '0');
      await replayIs('up');
    });
  },
);
