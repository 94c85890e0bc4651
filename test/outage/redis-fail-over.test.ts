import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { redisServer } from '../support/redis-server.ts';
import { basic, testServer } from '../support/server.ts';
import { onSqlite } from '../support/stores.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { clientSecret, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const port = (url: string) => new URL(url).port;

describe.runIf(process.env['TEST_REDIS_URL'] !== undefined)('Redis', { timeout: 60_000 }, () => {
  it('after a fail-over requests are counted on the new primary, and the log says what failed', async () => {
    const [old, next] = [await redisServer(), await redisServer()];
    const line = await tcpProxy(Number(port(old.url)));
    const { env, remove } = await onSqlite.make();
    const fixture = await tokenEndpointFixture({
      store: { env: { ...env, REDIS_URL: `redis://127.0.0.1:${line.port}` }, remove },
      env: { RATE_LIMIT_PER_CLIENT: '3' },
    });
    const authorization = basic('app', clientSecret);
    const ask = async () =>
      (await fixture.server.post('/revoke', { token: 'x' }, { authorization })).status;
    /** Asks until the limit holds, at most 200 times. */
    const limited = async () => {
      for (let times = 0; times < 200; times++) {
        if ((await ask()) === 429) return true;
        await sleep(20);
      }
      return false;
    };
    expect(await limited()).toBe(true);
    // The old primary stays connected, as a replica of the new one.
    line.leadTo(Number(port(next.url)));
    await old.command('REPLICAOF', '127.0.0.1', port(next.url));
    expect(await limited()).toBe(true);
    expect(await next.command('KEYS', '*:rate:*client:app')).toHaveLength(1);
    const said = fixture.server.logs.filter(({ msg }) => /counted/.test(String(msg)));
    expect(said.slice(0, 2)).toMatchObject([
      {
        level: 50,
        msg: 'requests cannot be counted: rate limits are not enforced until counting works again',
      },
      { level: 30, msg: 'requests are counted again: rate limits are in force' },
    ]);
    await fixture.server.stop();
    await line.close();
    await old.remove();
    await next.remove();
    await remove();
  });

  it('a Redis Cluster is refused at start', async () => {
    const cluster = await redisServer('--cluster-enabled', 'yes');
    const { env, remove } = await onSqlite.make();
    const started = testServer({ store: { env: { ...env, REDIS_URL: cluster.url }, remove } });
    await expect(started).rejects.toThrow(/Redis Cluster \(cluster_enabled:1\).*not supported/);
    await cluster.remove();
    await remove();
  });
});
