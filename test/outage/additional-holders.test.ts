import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOn } from '../support/describe-on.ts';
import { ath, keysOf, openPair, type Pair, pairSecret, unaware } from '../support/pair.ts';
import { basic } from '../support/server.ts';
import { onPostgresqlServer, onSqliteAndRedis, type TestStore } from '../support/stores.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';

const lines = [
  {
    variable: 'DATABASE_URL',
    standardPort: 5432,
    kind: onPostgresqlServer,
  },
  {
    variable: 'REDIS_URL',
    standardPort: 6379,
    kind: onSqliteAndRedis,
  },
];

for (const { variable, standardPort, kind } of lines)
  describeOn(kind)(`several keys while the store is away (${variable})`, () => {
    let [store, proxy, pair]: [TestStore, TcpProxy, Pair] = [] as never;
    beforeAll(async () => {
      store = await kind.make();
      const url = new URL(store.env[variable] ?? '');
      proxy = await tcpProxy(Number(url.port || standardPort));
      url.host = `127.0.0.1:${proxy.port}`;
      pair = await openPair({ store: { ...store, env: { ...store.env, [variable]: url.href } } });
    });
    afterAll(async () => {
      await pair.server.stop();
      await proxy.close();
      await store.remove();
    });

    it('503 for every step, and nothing was used up: the same proofs pass once it is back, and once only', {
      timeout: 90_000,
    }, async () => {
      const single = (await pair.ask({ form: { resource: unaware, req_alt_cnf: undefined } })).body
        .access_token as string;
      const shared = (await pair.ask()).body.access_token as string;
      const reqAltCnf = [{ proof: await pair.cnfProof() }];
      const dpop = await pair.appKey.proof();
      const withdraw = async () =>
        pair.server.post('/revoke', {
          token: shared,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await pair.backendKey.assertion('backend'),
        });
      const exchange = async () =>
        pair.backendExchanges(single, {}, pair.backendKey, { ath: ath(single) });
      await proxy.set('refused');
      const during = [await pair.ask({ reqAltCnf, dpop }), await exchange(), await withdraw()];
      const seen = await pair.introspect(shared);
      await proxy.set('open');
      expect(during.map(({ status }) => status)).toEqual([503, 503, 503]);
      // Who holds the token is in the database; it is never answered from memory.
      expect(seen.status).toBe(variable === 'DATABASE_URL' ? 503 : 200);

      let answer = await pair.ask({ reqAltCnf, dpop });
      for (let tries = 0; answer.status === 503 && tries < 100; tries++) {
        await sleep(100);
        answer = await pair.ask({ reqAltCnf, dpop });
      }
      expect(keysOf(answer)).toMatchObject({ alt_cnf: [{ client_id: 'backend' }] });
      expect(keysOf(await pair.ask({ reqAltCnf }))).toBe('400 failed_pop_verification');
      expect((await exchange()).status).toBe(200);
      // The withdrawal that was answered with an error has not happened; asked again it does.
      expect((await pair.introspect(shared)).body.alt_cnf).toHaveLength(1);
      expect((await withdraw()).status).toBe(200);
      expect((await pair.introspect(shared)).body).toMatchObject({ active: true });
      expect((await pair.introspect(shared)).body.alt_cnf).toBeUndefined();
      expect(
        (
          await pair.server.post(
            '/revoke',
            { token: shared },
            { authorization: basic('app', pairSecret) },
          )
        ).status,
      ).toBe(200);
    });
  });
