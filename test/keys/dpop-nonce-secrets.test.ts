import { createHmac, randomBytes } from 'node:crypto';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { dpopNonceSecrets } from '../../src/keys/dpop-nonce-secrets.ts';
import { keyEncryption, keyEncryptionKeyId, placeOfSecret } from '../../src/keys/key-encryption.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { adapterFor } from '../../src/store/connection/adapters.ts';
import { openStores } from '../../src/store/stores.ts';
import { basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

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

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'secrets behind DPoP nonces on $name',
  { timeout: 60_000 },
  (kind) => {
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    /** Its clock is 30 s ahead of the desk's. */
    let ahead: TestServer;
    const clocks = { fixture: { now: 0 }, ahead: { now: 0 } };
    const at = (seconds: number) => {
      clocks.fixture.now = startOfTime + seconds * 1000;
      clocks.ahead.now = clocks.fixture.now + 30_000;
    };
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
          return states(ahead);
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
    const query = async (sql: string) => {
      const connection = await (
        await adapterFor(String(store.env['DATABASE_URL']), () => undefined)
      ).connect();
      const { rows } = await connection.queryRaw({ sql, args: [], argTypes: [] });
      await connection.dispose();
      return rows as string[][];
    };
    const sealedSecrets = async () =>
      (await query("select value from shared_secret where name = 'dpop_nonce_secret'"))[0]?.[0] ??
      '';
    const restart = async (more: Readonly<Record<string, string>> = {}) => {
      await ahead.stop();
      ahead = await testServer({ store, env: { ...env, ...more }, clock: clocks.ahead });
    };

    beforeEach(async () => {
      at(start);
      store = await kind.make();
      fixture = await tokenEndpointFixture({ store, env, clock: clocks.fixture });
      ahead = await testServer({ store, env, clock: clocks.ahead });
    });
    afterEach(async () => {
      await ahead.stop();
      await fixture.server.stop();
      await store.remove();
    });

    it('RFC 9449 §8: by schedule, with replicas whose clocks differ: no client is refused but for its first proof without a nonce', async () => {
      expect(await states(ahead)).toEqual([`active ${start}`]);
      at(start + due);
      const next = start + interval;
      expect(await announced()).toEqual([`active ${start}`, `announced ${next}`]);
      // One asks in turn, one gets its nonces from the replica ahead and uses them at the other, one the other way round.
      const routes = [
        (round: number) => [fixture.server, ahead][round % 2] as TestServer,
        (round: number) => (round % 4 === 0 ? ahead : fixture.server),
        (round: number) => (round % 4 === 0 ? fixture.server : ahead),
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
      for (const server of [fixture.server, ahead])
        expect(await states(server)).toEqual([`retired ${start}`, `active ${next}`]);
      expect(await events('dpop_nonce_secret_announced')).toMatchObject([
        { actor: 'server', detail: { active_at: startOfTime + next * 1000 } },
      ]);
    });

    it('a nonce of the previous secret counts as long as it would have, and no longer', async () => {
      at(start + due);
      await announced();
      at(start + interval - 1);
      const nonce = await nonceOf(fixture.server);
      const end = (Math.floor((start + interval - 1) / lifetime) + 2) * lifetime;
      at(end - 1);
      expect(await outcome(fixture.server, nonce)).toBe(200);
      at(end - 31);
      expect(await outcome(ahead, nonce)).toBe(200);
      at(end);
      for (const server of [fixture.server, ahead])
        expect(await outcome(server, nonce)).toBe('use_dpop_nonce');
    });

    it('the single secret of an older version: its nonces count, it has a whole interval left, and once retired it makes none', async () => {
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
        await outcome(ahead, nonce),
      ];
      await Promise.all([states(fixture.server), states(ahead)]);
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

    it('after two rotations an old nonce is refused with use_dpop_nonce and a nonce that works', async () => {
      const nonce = await nonceOf(fixture.server);
      for (const round of [1, 2]) {
        at(start + (round - 1) * interval + due);
        await announced();
      }
      at(start + 2 * interval);
      const { status, body, headers } = await ask(ahead, nonce);
      expect([status, body.error]).toEqual([400, 'use_dpop_nonce']);
      expect(await outcome(fixture.server, headers.get('dpop-nonce') ?? '')).toBe(200);
      expect((await events('dpop_nonce_secret_announced')).length).toBe(2);
    });

    it('replicas that rotate at the same moment make one secret', async () => {
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

    it('by hand: no nonce that was given out counts any more, at the other replica from its next look on', async () => {
      at(start + due);
      await announced();
      const nonce = await nonceOf(ahead);
      expect(await outcome(fixture.server, nonce)).toBe(200);
      const { status, body } = await fixture.server.admin('POST', 'dpop-nonce-secrets/rotate');
      const instant = new Date(clocks.fixture.now).toISOString();
      expect([status, body]).toEqual([
        200,
        { items: [{ state: 'active', active_at: instant }], next_cursor: null },
      ]);
      expect(await outcome(fixture.server, nonce)).toBe('use_dpop_nonce');
      await states(ahead);
      expect(await outcome(ahead, nonce)).toBe('use_dpop_nonce');
      expect(await outcome(ahead, await nonceOf(fixture.server))).toBe(200);
      // The one whose clock is behind, too.
      expect((await ahead.admin('POST', 'dpop-nonce-secrets/rotate')).status).toBe(200);
      await states(fixture.server);
      expect(await outcome(fixture.server, await nonceOf(fixture.server))).toBe(200);
      expect(await events('dpop_nonce_secret_replaced')).toMatchObject([
        { actor: 'admin:bootstrap' },
        { actor: 'admin:bootstrap' },
      ]);
    });

    it('by hand, many at once: every call answers, and the replicas agree', async () => {
      const calls = await Promise.all(
        Array.from({ length: 6 }, async (_, index) =>
          [fixture.server, ahead][index % 2]?.admin('POST', 'dpop-nonce-secrets/rotate'),
        ),
      );
      expect(calls.map((call) => call?.status)).toEqual(calls.map(() => 200));
      const [one, two] = [await states(fixture.server), await states(ahead)];
      expect([one.length, two]).toEqual([1, one]);
      expect(await outcome(ahead, await nonceOf(fixture.server))).toBe(200);
    });

    it('a change of the key-encryption key seals all of them anew; a start with another key is refused and changes nothing', async () => {
      at(start + due);
      const standing = await announced();
      const nonce = await nonceOf(fixture.server);
      await restart({ KEY_ENCRYPTION_KEY_NEXT: b });
      expect((await ahead.admin('POST', 'key-encryption-key/rotate')).body.shared_secrets).toBe(1);
      const sealed = await sealedSecrets();
      await expect(testServer({ store, env })).rejects.toThrow(
        /was not sealed by this key-encryption key\. Start with the key/,
      );
      expect(await sealedSecrets()).toBe(sealed);
      await restart({ KEY_ENCRYPTION_KEY: b });
      expect(await states(ahead)).toEqual(standing);
      expect(await outcome(ahead, nonce)).toBe(200);
      // The replica that has only the old key goes on with what it has read.
      expect(await outcome(fixture.server, nonce)).toBe(200);
      at(start + interval);
      expect(await outcome(ahead, await nonceOf(fixture.server))).toBe(200);
    });

    it('nothing of a secret is in the database, an answer or the log', async () => {
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
        ahead.logs,
      ]);
      for (const { secret } of opened) {
        expect(secret).toMatch(/^[\w-]{43}$/);
        expect(shown).not.toContain(secret);
      }
    });
  },
);
