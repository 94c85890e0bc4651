import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOn } from '../support/describe-on.ts';
import { onPostgresqlServer, onSqliteAndRedis, type TestStore } from '../support/stores.ts';
import { type Line, type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';
import {
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

/** The store behind a line that the test can cut: which variable names it, and what readiness calls it. */
const lines = [
  {
    variable: 'DATABASE_URL',
    standardPort: 5432,
    part: 'database',
    kind: onPostgresqlServer,
  },
  {
    variable: 'REDIS_URL',
    standardPort: 6379,
    part: 'replay',
    kind: onSqliteAndRedis,
  },
];

for (const { variable, standardPort, part, kind } of lines)
  describeOn(kind)(`${part} away (${kind.name})`, () => {
    let store: TestStore;
    let proxy: TcpProxy;
    let fixture: TokenEndpointFixture;
    beforeAll(async () => {
      store = await kind.make();
      const url = new URL(store.env[variable] ?? '');
      proxy = await tcpProxy(Number(url.port || standardPort));
      url.host = `127.0.0.1:${proxy.port}`;
      fixture = await tokenEndpointFixture({
        store: { ...store, env: { ...store.env, [variable]: url.href } },
      });
    });
    afterAll(async () => {
      await fixture.server.stop();
      await proxy.close();
      await store.remove();
    });

    /** Asks until there is a token, for at most 10 s. */
    async function recovered(): Promise<string> {
      for (let tries = 0; tries < 100; tries++) {
        if ((await fixture.outcome()) === `200 ${fixture.key.jkt}`) return 'recovered';
        await sleep(100);
      }
      return 'still away';
    }

    it.each<Line>(['refused', 'silent'])(
      '%s: 503 in time, the documents still answer, and it recovers by itself',
      { timeout: 90_000 },
      async (line) => {
        await proxy.set(line);
        // A client that waits no longer than 2 s gets its answer.
        const giveUp = async () => sleep(2000, 'gave up' as const);
        const first = await Promise.race([fixture.send(), giveUp()]);
        const second = await Promise.race([fixture.send(), giveUp()]);
        const documents = await Promise.all(
          ['/jwks', '/.well-known/oauth-authorization-server', '/health/live'].map(async (path) =>
            fixture.server.get(path),
          ),
        );
        const ready = await fixture.server.get('/health/ready');
        await proxy.set('open');
        expect(await recovered()).toBe('recovered');
        for (const answer of [first, second]) {
          expect(answer).toMatchObject({
            status: 503,
            headers: { 'retry-after': '1', 'cache-control': 'no-store' },
          });
          expect(JSON.parse((answer as { body: string }).body)).toMatchObject({
            error: 'temporarily_unavailable',
          });
        }
        expect(documents.map(({ status }) => status)).toEqual([200, 200, 200]);
        expect(ready).toMatchObject({
          status: 503,
          body: { status: 'not_ready', [part]: 'down', signing_keys: 'up' },
        });
        // Readiness goes by the last write in the background.
        await expect
          .poll(async () => (await fixture.server.get('/health/ready')).status, { timeout: 10_000 })
          .toBe(200);
      },
    );

    it.runIf(part === 'database')(
      'a status list within its time is served, however old the list of signing keys is',
      async () => {
        const listed = 'https://listed.example.com';
        await fixture.server.admin('POST', 'resource-servers', {
          audience: listed,
          status_list_enabled: true,
        });
        const { body } = await fixture.send({
          form: { grant_type: 'client_credentials', resource: listed },
        });
        const { status_list } = decodeJwt<{ status: { status_list: { uri: string } } }>(
          (JSON.parse(body) as { access_token: string }).access_token,
        ).status;
        const look = async () =>
          (await fetch(`${fixture.server.url}${new URL(status_list.uri).pathname}`)).text();
        const before = await look();
        await proxy.set('refused');
        fixture.server.clock.now += 4000;
        const during = await look();
        await proxy.set('open');
        expect(before).toMatch(/^eyJ/);
        expect(during).toBe(before);
      },
    );
  });
