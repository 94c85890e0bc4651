import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { describe, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { openStores } from '../../src/store/stores.ts';
import { issuer, startOfTime, testServer } from '../support/server.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';

interface Item {
  readonly type: string;
  readonly detail: {
    readonly kid: string;
    readonly active_at?: number;
    readonly retired_at?: number;
    readonly removed_at?: number;
  };
}

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'audit events of signing keys on $name',
  (kind) => {
    // PostgreSQL has too few connections for all of them at once.
    const test = kind === onSqlite ? it.concurrent : it;
    test('each stage of each life once, whatever number of replicas there are', async ({
      expect,
    }) => {
      const store = await kind.make();
      const clock = { now: startOfTime };
      const env = { JWKS_MAX_AGE: '60', ACCESS_TOKEN_MAX_LIFETIME: '600' };
      const replicas = await Promise.all([1, 2].map(async () => testServer({ store, env, clock })));
      const [one, other] = replicas as [(typeof replicas)[0], (typeof replicas)[0]];
      const events = async () => {
        const { items } = (await one.admin('GET', 'audit-events')).body as { items: Item[] };
        return items.filter(({ type }) => type.startsWith('signing_key_'));
      };
      const seen: string[] = [];
      /** Those since the last call: waits until there are so many, and every replica has looked once more. One millisecond has no order. */
      const since = async (count: number) => {
        for (let tries = 0; tries < 100 && (await events()).length < seen.length + count; tries++)
          await sleep(100);
        await sleep(1500);
        const now = (await events()).map(
          ({ type, detail: { kid, active_at, retired_at, removed_at } }) =>
            [type.replace('signing_key_', ''), kid, removed_at ?? retired_at ?? active_at]
              .join(' ')
              .trim(),
        );
        const fresh = now.filter((line) => !seen.includes(line));
        expect(now.length).toBe(seen.length + fresh.length);
        seen.push(...fresh);
        return fresh.sort();
      };
      const first = (await one.admin('GET', 'signing-keys')).body.items[0].kid as string;
      const start = startOfTime;
      expect(await since(2)).toEqual([
        `activated ${first} ${start}`,
        `announced ${first} ${start}`,
      ]);
      const rotations = await Promise.all(
        [one, other, one, other].map(async (server) =>
          server.admin('POST', 'signing-keys/rotate', { alg: 'ES256' }),
        ),
      );
      const next = rotations[0]?.body.kid as string;
      clock.now += 89_999;
      expect(await since(1)).toEqual([`announced ${next} ${start + 90_000}`]);
      clock.now += 1;
      expect(await since(2)).toEqual([
        `activated ${next} ${start + 90_000}`,
        `retired ${first} ${start + 90_000}`,
      ]);
      clock.now += 630_000;
      expect(await since(1)).toEqual([`removed ${first} ${start + 720_000}`]);
      expect((await other.admin('POST', `signing-keys/${next}/revoke`)).status).toBe(204);
      const keys = (await other.admin('GET', 'signing-keys')).body.items as {
        kid: string;
        state: string;
      }[];
      const last = keys.find(({ state }) => state === 'active')?.kid;
      expect(await since(3)).toEqual([
        `activated ${last} ${clock.now}`,
        `announced ${last} ${clock.now}`,
        `revoked ${next}`,
      ]);
      await Promise.all(replicas.map(async (replica) => replica.stop()));
      await store.remove();
    });

    test('one that was revoked is not advanced, and nothing says that it was', async ({
      expect,
    }) => {
      const store = await kind.make();
      const server = await testServer({ store });
      const { kid } = (await server.admin('POST', 'signing-keys/rotate', { alg: 'ES256' }))
        .body as { kid: string };
      const clock = () => startOfTime;
      const config = readConfig({ ISSUER: issuer, ...store.env });
      const stores = await openStores(config, {
        logger: pino({ level: 'silent' }),
        clock,
        databaseClock: clock,
        peers: noPeers,
      });
      const shown = async () =>
        (await stores.signingKeys.listSigningKeys()).keys.find((key) => key.kid === kid);
      const announced = async () =>
        (await stores.audit.list({ limit: 100, type: 'signing_key_announced' })).length;
      expect((await server.admin('POST', `signing-keys/${kid}/revoke`)).status).toBe(204);
      const [before, recorded] = [await shown(), await announced()];
      await stores.signingKeys.advanceSigningKey(kid, startOfTime, {
        type: 'signing_key_announced',
        actor: 'admin:bootstrap',
        detail: { kid },
      });
      expect([await shown(), await announced()]).toEqual([before, recorded]);
      await stores.close();
      await server.stop();
      await store.remove();
    });

    test('of concurrent records of one stage one is made, in the same transaction as the claim', async ({
      expect,
    }) => {
      const store = await kind.make();
      const server = await testServer({ store });
      const { kid } = (await server.admin('GET', 'signing-keys')).body.items[0] as { kid: string };
      const stores = await openStores(readConfig({ ISSUER: issuer, ...store.env }), {
        logger: pino({ level: 'silent' }),
        clock: () => startOfTime,
        peers: noPeers,
      });
      const retired = { type: 'signing_key_retired', actor: 'server', detail: { kid } } as const;
      const recorded = async () =>
        (await stores.audit.list({ limit: 100, type: 'signing_key_retired' })).length;
      await expect(
        stores.signingKeys.recordStage(kid, 'active', 'retired', [
          { ...retired, id: 'same' },
          { ...retired, id: 'same' },
        ]),
      ).rejects.toThrow('database is unavailable');
      expect(await recorded()).toBe(0);
      await Promise.all(
        Array.from({ length: 10 }, async () =>
          stores.signingKeys.recordStage(kid, 'active', 'retired', [retired]),
        ),
      );
      expect(await recorded()).toBe(1);
      await stores.close();
      await server.stop();
      await store.remove();
    });
  },
);
