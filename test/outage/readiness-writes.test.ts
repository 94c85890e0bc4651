import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { sqlitePragmas } from '../../src/store/connection/sqlite-adapter.ts';
import { describeOn } from '../support/describe-on.ts';
import { onPostgresql } from '../support/postgresql.ts';
import { type RedisServer, redisServer } from '../support/redis-server.ts';
import { replicaThatDoesNotLook } from '../support/replica-that-does-not-look.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onPostgresqlServer, onSqlite, type TestStore } from '../support/stores.ts';
import {
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

/** Asks for readiness until it says this of a part, at most 20 s; answers what it said last. */
async function readiness(server: TestServer, part: string, state: 'up' | 'down') {
  for (let tries = 0; ; tries++) {
    const { status, body } = await server.get('/health/ready');
    if (body[part] === state || tries === 200) return [status, body[part]];
    await sleep(100);
  }
}

/** Whether a token is refused because a store cannot be written to. */
const unavailable = '503 temporarily_unavailable';

describeOn(onPostgresqlServer)('readiness proves that PostgreSQL takes writes', () => {
  it('a database that only reads is not ready, and is again when it takes writes', async () => {
    const store = await onPostgresqlServer.make();
    const fixture = await tokenEndpointFixture({ store });
    const name = new URL(store.env['DATABASE_URL'] ?? '').pathname.slice(1);
    const readOnly = async (value: string) => {
      await onPostgresql(`alter database ${name} set default_transaction_read_only = ${value}`);
      // Sessions keep what they began with.
      await onPostgresql(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
      );
    };
    await readOnly('on');
    expect(await readiness(fixture.server, 'database', 'down')).toEqual([503, 'down']);
    expect(await fixture.outcome()).toBe(unavailable);
    await readOnly('off');
    expect(await readiness(fixture.server, 'database', 'up')).toEqual([200, 'up']);
    expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
    await fixture.server.stop();
    await store.remove();
  });
});

describe('readiness proves that SQLite takes writes', () => {
  it('a file at its size limit is not ready, and is again when there is room', async () => {
    const pragmas = sqlitePragmas as string[];
    // A limit holds for a connection, so every connection of the server gets it.
    pragmas.push('max_page_count = 150');
    const store = await onSqlite.make();
    const fixture = await tokenEndpointFixture({ store });
    pragmas.pop();
    pragmas.push('max_page_count = 1');
    try {
      expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
      await execute(store, "insert into shared_secret values ('big', hex(zeroblob(500000)))");
      expect(await readiness(fixture.server, 'database', 'down')).toEqual([503, 'down']);
      const outcomes = [];
      while (outcomes.at(-1) !== unavailable && outcomes.length < 100)
        outcomes.push(await fixture.outcome());
      expect(outcomes.at(-1)).toBe(unavailable);
      // What is deleted leaves its pages to others.
      await execute(store, "delete from shared_secret where name = 'big'");
      expect(await readiness(fixture.server, 'database', 'up')).toEqual([200, 'up']);
      expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
    } finally {
      pragmas.pop();
    }
    await fixture.server.stop();
    await store.remove();
  });
});

describe.runIf(process.env['TEST_REDIS_URL'] !== undefined)(
  'readiness proves that Redis takes writes',
  { timeout: 60_000 },
  () => {
    let redis: RedisServer;
    let store: TestStore;
    const begin = async () => {
      redis = await redisServer();
      const { env, remove } = await onSqlite.make();
      store = { env: { ...env, REDIS_URL: redis.url }, remove };
    };
    afterEach(async () => {
      await store.remove();
      await redis.remove();
    });

    it.each([
      ['NOREPLICAS', ['CONFIG', 'SET', 'min-replicas-to-write', '1', 'min-replicas-max-lag', '1']],
      ['OOM', ['CONFIG', 'SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction']],
      ['READONLY', ['REPLICAOF', '127.0.0.1', '1']],
    ])('a Redis that answers %s is not ready, and is again afterwards', async (_error, harm) => {
      await begin();
      const fixture: TokenEndpointFixture = await tokenEndpointFixture({ store });
      expect(await readiness(fixture.server, 'replay', 'up')).toEqual([200, 'up']);
      const [name = '', ...parameters] = harm;
      await redis.command(name, ...parameters);
      expect(await readiness(fixture.server, 'replay', 'down')).toEqual([503, 'down']);
      expect(await fixture.outcome()).toBe(unavailable);
      for (const [parameter = '', value = ''] of [
        ['min-replicas-to-write', '0'],
        ['maxmemory', '0'],
      ])
        await redis.command('CONFIG', 'SET', parameter, value);
      await redis.command('REPLICAOF', 'NO', 'ONE');
      expect(await readiness(fixture.server, 'replay', 'up')).toEqual([200, 'up']);
      await fixture.server.stop();
    });

    it('a request for readiness writes nothing', async () => {
      await begin();
      const server = await replicaThatDoesNotLook(async () => testServer({ store }));
      expect(await readiness(server, 'replay', 'up')).toEqual([200, 'up']);
      const written = async () =>
        /cmdstat_set:calls=\d+/.exec(String(await redis.command('INFO', 'commandstats')))?.[0];
      const inDatabase = async () => execute(store, 'select * from write_check');
      const before = [await written(), await inDatabase()];
      for (let times = 0; times < 20; times++)
        expect((await server.get('/health/ready')).status).toBe(200);
      expect([await written(), await inDatabase()]).toEqual(before);
      expect(before[1]).toHaveLength(1);
      await server.stop();
    });
  },
);
