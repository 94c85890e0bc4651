import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type RedisServer, redisServer } from '../support/redis-server.ts';
import { basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const form = { grant_type: 'client_credentials' };
const authorization = basic('app', clientSecret);

describe.runIf(process.env['TEST_REDIS_URL'] !== undefined)(
  'a Redis of its own',
  { timeout: 60_000 },
  () => {
    let redis: RedisServer;
    let line: TcpProxy;
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    /** A second server, whose clock is 30 s behind. */
    let behind: TestServer;
    const [ahead, late] = [{ now: startOfTime }, { now: startOfTime - 30_000 }];
    const start = async (...options: string[]) => {
      redis = await redisServer(...options);
      line = await tcpProxy(Number(new URL(redis.url).port));
      store = await onSqlite.make();
      const env = { ...store.env, REDIS_URL: `redis://127.0.0.1:${line.port}` };
      at(0);
      fixture = await tokenEndpointFixture({ store: { ...store, env }, clock: ahead });
      behind = await testServer({ store: { ...store, env }, clock: late });
      await reconnected();
    };
    afterEach(async () => {
      await behind.stop();
      await fixture.server.stop();
      await line.close();
      await redis.remove();
      await store.remove();
    });
    const at = (seconds: number) => {
      ahead.now = startOfTime + seconds * 1000;
      late.now = ahead.now - 30_000;
    };
    const proofAt = async (seconds: number) =>
      fixture.key.proof({ iat: startOfTime / 1000 + seconds });
    const ask = async (dpop: string, server: TestServer = fixture.server) =>
      (await server.post('/token', form, { authorization, dpop })).status;
    /** Until both servers speak with the Redis again. */
    const reconnected = async () => {
      for (const server of [fixture.server, behind])
        while ((await server.get('/health/ready')).status !== 200) await sleep(50);
    };
    /** What was used before is refused by both servers, at once and later, until it is too old; fresh ones work again after a while. */
    const nothingComesBack = async (used: readonly string[]) => {
      for (const seconds of [1, 20, 45, 61]) {
        at(seconds);
        const again = await Promise.all(
          [fixture.server, behind].flatMap((server) => used.map(async (dpop) => ask(dpop, server))),
        );
        expect(again.filter((status) => status === 200)).toEqual([]);
      }
      at(130);
      expect([await ask(await proofAt(130)), await ask(await proofAt(100), behind)]).toEqual([
        200, 200,
      ]);
    };
    const useSome = async () => {
      const used = [await proofAt(0), await proofAt(-30), await proofAt(29)];
      expect(
        await Promise.all([ask(used[0] ?? ''), ask(used[1] ?? '', behind), ask(used[2] ?? '')]),
      ).toEqual([200, 200, 200]);
      return used;
    };

    it.each([
      ['empty', []],
      ['with its append-only file', ['--appendonly', 'yes', '--appendfsync', 'always']],
      [
        'with an append-only file that lacks the last second',
        ['--appendonly', 'yes', '--appendfsync', 'no'],
      ],
    ])('killed and started again %s', async (_how, options) => {
      await start(...options);
      const used = await useSome();
      await redis.kill();
      expect(await ask(await proofAt(1))).toBe(503);
      await redis.start();
      await reconnected();
      await nothingComesBack(used);
    });

    it('a copy that lagged takes its place (REPLICAOF NO ONE)', async () => {
      await start('--repl-diskless-sync-delay', '0');
      const copy = await redisServer('--replicaof', '127.0.0.1', new URL(redis.url).port);
      while (!String(await copy.command('INFO', 'replication')).includes('master_link_status:up'))
        await sleep(50);
      // From here on the copy hears nothing more.
      await copy.command('REPLICAOF', 'NO', 'ONE');
      expect(String(await copy.command('INFO', 'replication'))).toMatch(/^role:master/m);
      const used = await useSome();
      await redis.kill();
      await line.set('refused');
      line.leadTo(Number(new URL(copy.url).port));
      await line.set('open');
      await reconnected();
      await nothingComesBack(used);
      await copy.remove();
    });

    it('FLUSHALL in the middle of the load: nothing that was answered is answered twice', async () => {
      await start();
      const proofs = await Promise.all(Array.from({ length: 400 }, async () => proofAt(0)));
      const once = Promise.all(
        proofs.map(async (dpop, index) => ask(dpop, index % 2 === 0 ? fixture.server : behind)),
      );
      for (let times = 0; times < 5; times++) {
        await redis.command('FLUSHALL');
        await sleep(20);
      }
      const first = await once;
      const second = await Promise.all(
        proofs.map(async (dpop, index) => ask(dpop, index % 2 === 0 ? behind : fixture.server)),
      );
      expect(proofs.filter((_, index) => first[index] === 200 && second[index] === 200)).toEqual(
        [],
      );
    });

    it('one that is full refuses, and evicts nothing', async () => {
      await start('--maxmemory-policy', 'noeviction');
      const used = await useSome();
      await redis.command('CONFIG', 'SET', 'maxmemory', '1');
      expect(await ask(await proofAt(1))).toBe(503);
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      expect([await ask(await proofAt(1)), await ask(used[0] ?? '', behind)]).toEqual([200, 400]);
      expect(fixture.server.logs.some(({ msg }) => String(msg).includes('may evict'))).toBe(false);
    });
  },
);
