import { createHmac, randomBytes } from 'node:crypto';
import pino from 'pino';
import { describe, it, type TestContext } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { dpopNonceSecrets } from '../../src/keys/dpop-nonce-secrets.ts';
import { keyEncryption, keyEncryptionKeyId, placeOfSecret } from '../../src/keys/key-encryption.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { openStores } from '../../src/store/stores.ts';
import { basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';
import { clientSecret, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const [a, b] = [1, 2].map(() => randomBytes(32).toString('base64url')) as [string, string];
const env = {
  DPOP_NONCE: 'required',
  DPOP_NONCE_SECRET_ROTATION_INTERVAL: '3600',
  KEY_ENCRYPTION_KEY: a,
};
// Seconds of which 120, the lifetime of a nonce, is no divisor: a rotation comes in the middle of a slot.
const start = 50;
const [interval, announcement, lifetime] = [3600, 1800, 120];
/** Seconds after which the replica ahead announces a successor, to the second an interval later; the fixture would half a minute after that. */
const due = interval - announcement - 30;

type OnTestFinished = TestContext['onTestFinished'];

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'secrets behind DPoP nonces on $name',
  { timeout: 60_000 },
  (kind) => {
    // PostgreSQL has too few connections for all of them at once.
    const test = kind === onSqlite ? it.concurrent : it;
    /** Two servers on a store of their own, one clock 30 s ahead: the tests wait side by side. */
    const open = async (whenFinished: OnTestFinished) => {
      const clocks = { fixture: { now: 0 }, ahead: { now: 0 } };
      const at = (seconds: number) => {
        clocks.fixture.now = startOfTime + seconds * 1000;
        clocks.ahead.now = clocks.fixture.now + 30_000;
      };
      at(start);
      const store = await kind.make();
      const fixture = await tokenEndpointFixture({ store, env, clock: clocks.fixture });
      const replica = { ahead: await testServer({ store, env, clock: clocks.ahead }) };
      whenFinished(async () => {
        await replica.ahead.stop();
        await fixture.server.stop();
        await store.remove();
      });
      const states = async (server: TestServer) =>
        (
          (await server.admin('GET', 'dpop-nonce-secrets')).body.items as {
            state: string;
            active_at: string;
            retired_at?: string;
          }[]
        ).map(
          ({ state, active_at }) => `${state} ${Date.parse(active_at) / 1000 - startOfTime / 1000}`,
        );
      /** Waits until a replica has announced a successor by itself, and both know of it. */
      const announced = async () => {
        for (let tries = 0; tries < 100; tries++) {
          if ((await states(fixture.server)).some((state) => state.startsWith('announced')))
            return states(replica.ahead);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        throw new Error('nothing was announced');
      };
      const events = async (type: string) =>
        (await fixture.server.admin('GET', `audit-events?type=${type}`)).body.items as {
          actor: string;
        }[];
      const ask = async (server: TestServer, nonce?: string) =>
        server.post(
          '/token',
          { grant_type: 'client_credentials' },
          { authorization: basic('app', clientSecret), dpop: await fixture.key.proof({ nonce }) },
        );
      /** A nonce as `server` gives it out now. */
      const nonceOf = async (server: TestServer) =>
        (await ask(server)).headers.get('dpop-nonce') ?? '';
      const outcome = async (server: TestServer, nonce: string) => {
        const { status, body } = await ask(server, nonce);
        return body.error ?? status;
      };
      const query = async (sql: string) => (await execute(store, sql)) as string[][];
      const sealedSecrets = async () =>
        (await query("select value from shared_secret where name = 'dpop_nonce_secret'"))[0]?.[0] ??
        '';
      const restart = async (more: Readonly<Record<string, string>> = {}) => {
        await replica.ahead.stop();
        replica.ahead = await testServer({ store, env: { ...env, ...more }, clock: clocks.ahead });
      };
      return {
        store,
        fixture,
        replica,
        clocks,
        at,
        states,
        announced,
        events,
        ask,
        nonceOf,
        outcome,
        query,
        sealedSecrets,
        restart,
      };
    };

    test('RFC 9449 §8: by schedule, with replicas whose clocks differ: no client is refused but for its first proof without a nonce', async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, replica, at, states, announced, events, ask } = await open(onTestFinished);
      expect(await states(replica.ahead)).toEqual([`active ${start}`]);
      at(start + due);
      const next = start + interval;
      expect(await announced()).toEqual([`active ${start}`, `announced ${next}`]);
      // One asks in turn, one gets its nonces from the replica ahead and uses them at the other, one the other way round.
      const routes = [
        (round: number) => [fixture.server, replica.ahead][round % 2] as TestServer,
        (round: number) => (round % 4 === 0 ? replica.ahead : fixture.server),
        (round: number) => (round % 4 === 0 ? fixture.server : replica.ahead),
      ];
      const nonces: (string | undefined)[] = [undefined, undefined, undefined];
      const challenges: string[] = [];
      for (let round = 0, second = next - 300; second <= next + 400; round++, second += 10) {
        at(second);
        for (const [client, route] of routes.entries()) {
          const answer = await ask(route(round), nonces[client]);
          if (answer.status !== 200)
            challenges.push(`client ${client} at ${second - next}: ${answer.body.error}`);
          nonces[client] = answer.headers.get('dpop-nonce') ?? nonces[client];
        }
      }
      expect(challenges).toEqual(
        [0, 1, 2].map((client) => `client ${client} at -300: use_dpop_nonce`),
      );
      for (const server of [fixture.server, replica.ahead])
        expect(await states(server)).toEqual([`retired ${start}`, `active ${next}`]);
      expect(await events('dpop_nonce_secret_announced')).toMatchObject([
        { actor: 'server', detail: { active_at: startOfTime + next * 1000 } },
      ]);
    });

    test('a nonce of the previous secret counts as long as it would have, and no longer', async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, replica, at, announced, nonceOf, outcome } = await open(onTestFinished);
      at(start + due);
      await announced();
      at(start + interval - 1);
      const nonce = await nonceOf(fixture.server);
      const end = (Math.floor((start + interval - 1) / lifetime) + 2) * lifetime;
      at(end - 1);
      expect(await outcome(fixture.server, nonce)).toBe(200);
      at(end - 31);
      expect(await outcome(replica.ahead, nonce)).toBe(200);
      at(end);
      for (const server of [fixture.server, replica.ahead])
        expect(await outcome(server, nonce)).toBe('use_dpop_nonce');
    });

    test('the single secret of an older version: its nonces count, it has a whole interval left, and once retired it makes none', async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, replica, at, states, announced, nonceOf, outcome, query } =
        await open(onTestFinished);
      const secret = randomBytes(32);
      const key = Buffer.from(a, 'base64url');
      const id = keyEncryptionKeyId(key);
      const jwe = await keyEncryption({ current: key }, async () => id).seal(
        secret.toString('base64url'),
        id,
        placeOfSecret('dpop_nonce_secret'),
      );
      await query(
        `update shared_secret set value = '${jwe}' where name = 'dpop_nonce_secret' returning name`,
      );
      const forged = (seconds: number) => {
        const time = Buffer.alloc(4);
        time.writeUInt32BE(Math.floor((startOfTime / 1000 + seconds) / lifetime));
        const mac = createHmac('sha256', secret)
          .update('DPoP-Nonce')
          .update(time)
          .digest()
          .subarray(0, 16);
        return Buffer.concat([time, mac]).toString('base64url');
      };
      const both = async (nonce: string) => [
        await outcome(fixture.server, nonce),
        await outcome(replica.ahead, nonce),
      ];
      await Promise.all([states(fixture.server), states(replica.ahead)]);
      expect(await both(forged(start))).toEqual([200, 200]);
      expect(await nonceOf(fixture.server)).toBe(forged(start));
      const [, next = ''] = await announced();
      const retirement = Number(next.split(' ')[1]);
      expect([start + interval, start + interval + 30]).toContain(retirement);
      at(retirement + lifetime);
      expect(await both(forged(retirement - 1))).toEqual([200, 200]);
      // Whoever has learnt it meanwhile.
      expect(await both(forged(retirement + lifetime))).toEqual([
        'use_dpop_nonce',
        'use_dpop_nonce',
      ]);
      at(retirement + due);
      expect(await announced()).toEqual([
        `active ${retirement}`,
        `announced ${retirement + interval}`,
      ]);
      at(retirement + interval);
      expect(await both(forged(retirement + interval))).toEqual([
        'use_dpop_nonce',
        'use_dpop_nonce',
      ]);
    });

    test('after two rotations an old nonce is refused with use_dpop_nonce and a nonce that works', async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, replica, at, announced, events, ask, nonceOf, outcome } =
        await open(onTestFinished);
      const nonce = await nonceOf(fixture.server);
      for (const round of [1, 2]) {
        at(start + (round - 1) * interval + due);
        await announced();
      }
      at(start + 2 * interval);
      const { status, body, headers } = await ask(replica.ahead, nonce);
      expect([status, body.error]).toEqual([400, 'use_dpop_nonce']);
      expect(await outcome(fixture.server, headers.get('dpop-nonce') ?? '')).toBe(200);
      expect((await events('dpop_nonce_secret_announced')).length).toBe(2);
    });

    test('replicas that rotate at the same moment make one secret', async ({
      expect,
      onTestFinished,
    }) => {
      const { store, events } = await open(onTestFinished);
      const now = startOfTime + (start + interval - announcement) * 1000;
      const key = Buffer.from(a, 'base64url');
      const replicas = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const stores = await openStores(readConfig(store.env), {
            logger: pino({ level: 'silent' }),
            clock: () => now,
            peers: noPeers,
          });
          const secrets = await dpopNonceSecrets({
            ...stores,
            encryption: keyEncryption({ current: key }, async () => keyEncryptionKeyId(key)),
            clock: () => now,
            dpopNonceSecretRotationInterval: interval,
            dpopNonceLifetime: lifetime,
            changed: async () => undefined,
          });
          return { stores, secrets };
        }),
      );
      await Promise.all(
        replicas.flatMap(({ secrets }) => [
          secrets.refresh(),
          secrets.refresh(),
          secrets.refresh(),
        ]),
      );
      await Promise.all(replicas.map(async ({ secrets }) => secrets.refresh()));
      const known = replicas.map(({ secrets }) =>
        secrets.current().map(({ secret, from }) => `${secret.toString('hex')} ${from}`),
      );
      await Promise.all(replicas.map(async ({ stores }) => stores.close()));
      expect(known[0]?.length).toBe(2);
      expect(known).toEqual(replicas.map(() => known[0]));
      expect((await events('dpop_nonce_secret_announced')).length).toBe(1);
    });

    test('by hand: no nonce that was given out counts any more, at the other replica from its next look on', async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, replica, clocks, at, states, announced, events, nonceOf, outcome } =
        await open(onTestFinished);
      at(start + due);
      await announced();
      const nonce = await nonceOf(replica.ahead);
      expect(await outcome(fixture.server, nonce)).toBe(200);
      const { status, body } = await fixture.server.admin('POST', 'dpop-nonce-secrets/rotate');
      const instant = new Date(clocks.fixture.now).toISOString();
      expect([status, body]).toEqual([
        200,
        { items: [{ state: 'active', active_at: instant }], next_cursor: null },
      ]);
      expect(await outcome(fixture.server, nonce)).toBe('use_dpop_nonce');
      await states(replica.ahead);
      expect(await outcome(replica.ahead, nonce)).toBe('use_dpop_nonce');
      expect(await outcome(replica.ahead, await nonceOf(fixture.server))).toBe(200);
      // The one whose clock is behind, too.
      expect((await replica.ahead.admin('POST', 'dpop-nonce-secrets/rotate')).status).toBe(200);
      await states(fixture.server);
      expect(await outcome(fixture.server, await nonceOf(fixture.server))).toBe(200);
      expect(await events('dpop_nonce_secret_replaced')).toMatchObject([
        { actor: 'admin:bootstrap' },
        { actor: 'admin:bootstrap' },
      ]);
    });

    test('by hand, many at once: every call answers, and the replicas agree', async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, replica, states, nonceOf, outcome } = await open(onTestFinished);
      const calls = await Promise.all(
        Array.from({ length: 6 }, async (_, index) =>
          [fixture.server, replica.ahead][index % 2]?.admin('POST', 'dpop-nonce-secrets/rotate'),
        ),
      );
      expect(calls.map((call) => call?.status)).toEqual(calls.map(() => 200));
      const [one, two] = [await states(fixture.server), await states(replica.ahead)];
      expect([one.length, two]).toEqual([1, one]);
      expect(await outcome(replica.ahead, await nonceOf(fixture.server))).toBe(200);
    });

    test('a change of the key-encryption key seals all of them anew; a start with another key is refused and changes nothing', async ({
      expect,
      onTestFinished,
    }) => {
      const {
        store,
        fixture,
        replica,
        at,
        states,
        announced,
        nonceOf,
        outcome,
        sealedSecrets,
        restart,
      } = await open(onTestFinished);
      at(start + due);
      const standing = await announced();
      const nonce = await nonceOf(fixture.server);
      await restart({ KEY_ENCRYPTION_KEY_NEXT: b });
      expect(
        (await replica.ahead.admin('POST', 'key-encryption-key/rotate')).body.shared_secrets,
      ).toBe(1);
      const sealed = await sealedSecrets();
      await expect(testServer({ store, env })).rejects.toThrow(
        /was not sealed by this key-encryption key\. Start with the key/,
      );
      expect(await sealedSecrets()).toBe(sealed);
      await restart({ KEY_ENCRYPTION_KEY: b });
      expect(await states(replica.ahead)).toEqual(standing);
      expect(await outcome(replica.ahead, nonce)).toBe(200);
      // The replica that has only the old key goes on with what it has read.
      expect(await outcome(fixture.server, nonce)).toBe(200);
      at(start + interval);
      expect(await outcome(replica.ahead, await nonceOf(fixture.server))).toBe(200);
    });

    test('nothing of a secret is in the database, an answer or the log', async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, replica, at, announced, sealedSecrets } = await open(onTestFinished);
      at(start + due);
      await announced();
      expect(await sealedSecrets()).toMatch(/^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/);
      const key = Buffer.from(a, 'base64url');
      const opened = JSON.parse(
        await keyEncryption({ current: key }, async () => undefined).open(
          await sealedSecrets(),
          placeOfSecret('dpop_nonce_secret'),
        ),
      ) as { secret: string }[];
      expect(opened.length).toBe(2);
      const shown = JSON.stringify([
        (await fixture.server.admin('GET', 'dpop-nonce-secrets')).body,
        (await fixture.server.admin('GET', 'audit-events?limit=200')).body,
        fixture.server.logs,
        replica.ahead.logs,
      ]);
      for (const { secret } of opened) {
        expect(secret).toMatch(/^[\w-]{43}$/);
        expect(shown).not.toContain(secret);
      }
    });
  },
);
