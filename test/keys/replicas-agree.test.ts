import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import {
  basic,
  issuer,
  startOfTime,
  type TestServer,
  type TestServerOptions,
  testServer,
} from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  audience,
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

interface ShownKey {
  readonly kid: string;
  readonly alg: string;
  readonly state: string;
  readonly active_at: string;
}

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  "the database's clock on $name, two replicas 30 s apart",
  (kind) => {
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    let replicas: TestServer[];
    const open = async (
      env: Record<string, string>,
      clocks: Pick<TestServerOptions, 'clock' | 'databaseClock'>[],
    ) => {
      store = await kind.make();
      fixture = await tokenEndpointFixture({ store, env, ...clocks[0] });
      replicas = [fixture.server, await testServer({ store, env, ...clocks[1] })];
    };
    afterEach(async () => {
      await Promise.all(replicas.map(async (replica) => replica.stop()));
      await store.remove();
    });

    const tokenOf = async (server: TestServer) => {
      const dpop = await fixture.key.proof({ iat: Math.floor(server.clock.now / 1000) });
      const { body } = await server.post(
        '/token',
        { grant_type: 'client_credentials' },
        { authorization: basic('app', clientSecret), dpop },
      );
      return body.access_token as string;
    };
    const kidsNow = async () =>
      Promise.all(replicas.map(async (server) => decodeProtectedHeader(await tokenOf(server)).kid));
    const shown = async (server: TestServer) =>
      (await server.admin('GET', 'signing-keys')).body.items as ShownKey[];
    const rotate = async (server: TestServer, immediately = false) =>
      (await server.admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately }))
        .body as ShownKey;

    it('at every instant both sign with the same key, and both show it in the same state', async () => {
      // The database agrees with neither.
      const clocks = {
        database: { now: startOfTime },
        behind: { now: startOfTime - 20_000 },
        ahead: { now: startOfTime + 10_000 },
      };
      const at = (instant: number) => {
        const passed = instant - clocks.database.now;
        for (const clock of Object.values(clocks)) clock.now += passed;
      };
      await open({ JWKS_MAX_AGE: '60', ACCESS_TOKEN_MAX_LIFETIME: '600' }, [
        { clock: clocks.behind, databaseClock: clocks.database },
        { clock: clocks.ahead, databaseClock: clocks.database },
      ]);
      const [old] = await kidsNow();
      const { kid: next, active_at } = await rotate(fixture.server);
      expect(active_at).toBe(new Date(startOfTime + 90_000).toISOString());
      for (const server of replicas) await shown(server);
      const states = async () =>
        Promise.all(
          replicas.map(async (server) =>
            (await shown(server)).map(
              ({ kid, state }) => `${kid === old ? 'old' : 'new'} ${state}`,
            ),
          ),
        );
      for (const [after, signing, lives] of [
        [0, old, ['old active', 'new announced']],
        [89_999, old, ['old active', 'new announced']],
        [90_000, next, ['old retired', 'new active']],
        [90_000 + 629_999, next, ['old retired', 'new active']],
        [90_000 + 630_000, next, ['old removed', 'new active']],
      ] as const) {
        at(startOfTime + after);
        expect([after, ...(await kidsNow())]).toEqual([after, signing, signing]);
        expect(await states()).toEqual([lives, lives]);
      }
    });

    it.each([
      [
        'forward while a key is announced, back when it signs, forward before its predecessor leaves',
        { 45: 30_000, 165: -30_000, 650: 30_000 },
      ],
      [
        'back while a key is announced, forward when it signs, back before its predecessor leaves',
        { 45: -30_000, 135: 30_000, 650: -30_000 },
      ],
      [
        'to and fro around the instant',
        { 90: 30_000, 105: -30_000, 120: 30_000, 135: -30_000, 150: 30_000 },
      ],
    ])(
      'when it jumps by 30 s, %s: no token fails at a resource server with a cached JWK Set, nor at introspection',
      async (_, jumps) => {
        const clocks = {
          database: { now: startOfTime },
          one: { now: startOfTime },
          two: { now: startOfTime + 10_000 },
        };
        await open({ JWKS_MAX_AGE: '60', ACCESS_TOKEN_MAX_LIFETIME: '600' }, [
          { clock: clocks.one, databaseClock: clocks.database },
          { clock: clocks.two, databaseClock: clocks.database },
        ]);
        await fixture.server.admin('POST', 'resource-servers', {
          audience: 'https://long.example.com',
          access_token_lifetime: 600,
          client_id: 'rs',
          client_secret: clientSecret,
          scopes: ['read'],
        });
        const caches = [0, 1].map(() => ({
          at: Number.NEGATIVE_INFINITY,
          jwks: createLocalJWKSet({ keys: [] }),
        }));
        const tokens: { token: string; from: number; end: number }[] = [];
        const failures: string[] = [];
        const kids = new Set<string | undefined>();
        for (let second = 0; second <= 870; second += 15) {
          for (const clock of Object.values(clocks)) clock.now += 15_000;
          clocks.database.now += (jumps as Readonly<Record<number, number>>)[second] ?? 0;
          for (const server of replicas) await shown(server);
          if (second === 30) await rotate(fixture.server);
          for (const [index, server] of replicas.entries()) {
            const cache = caches[index] as (typeof caches)[0];
            // One verifier fetches at each replica, and not before its copy is as old as it may be.
            if (second - cache.at >= 60)
              Object.assign(cache, {
                at: second,
                jwks: createLocalJWKSet((await server.get('/jwks')).body as JSONWebKeySet),
              });
            const dpop = await fixture.key.proof({ iat: Math.floor(server.clock.now / 1000) });
            const { body } = await server.post(
              '/token',
              { grant_type: 'client_credentials', resource: 'https://long.example.com' },
              { authorization: basic('app', clientSecret), dpop },
            );
            tokens.push({ token: body.access_token as string, from: second, end: second + 590 });
            kids.add(decodeProtectedHeader(body.access_token as string).kid);
            const other = replicas[1 - index] as TestServer;
            const { active } = (
              await other.post(
                '/introspect',
                { token: body.access_token as string },
                { authorization: basic('rs', clientSecret) },
              )
            ).body;
            if (active !== true) failures.push(`${second} introspection`);
          }
          // Another answer than before only from a new set, for a new token, or by the time.
          for (const { token, from, end } of tokens)
            for (const { at, jwks } of caches)
              if (second < end && [at, from, end - 5].includes(second))
                await jwtVerify(token, jwks, {
                  issuer,
                  currentDate: new Date(clocks.one.now),
                }).catch((error: unknown) => failures.push(`${second} ${String(error)}`));
        }
        expect(failures).toEqual([]);
        expect(kids.size).toBe(2);
      },
    );

    it('by its own clock, under load: no token fails at a resource server with a cached JWK Set, and none is signed by a key out of its time', async () => {
      const own = (offset: number) => ({
        clock: {
          get now() {
            return Date.now() + offset;
          },
        },
        databaseClock: 'real' as const,
      });
      await open({ JWKS_MAX_AGE: '2', CLOCK_TOLERANCE: '1' }, [own(0), own(30_000)]);
      const signed: { kid: string | undefined; asked: number; answered: number }[] = [];
      const failures: string[] = [];
      let cache = {
        at: Date.now(),
        jwks: (await fixture.server.get('/jwks')).body as JSONWebKeySet,
      };
      let successor: ShownKey | undefined;
      const signers = replicas.map(() => new Set<string>());
      const limit = Date.now() + 30_000;
      const done = () =>
        successor !== undefined &&
        Date.now() > Date.parse(successor.active_at) + 1500 &&
        signers.every(({ size }) => size === 2);
      const load = async (server: TestServer, signer: Set<string>) => {
        while (!done() && Date.now() < limit) {
          const asked = Date.now();
          const token = await tokenOf(server);
          const answered = Date.now();
          if (answered - cache.at >= 2000)
            cache = { at: answered, jwks: (await server.get('/jwks')).body as JSONWebKeySet };
          const { kid = '' } = decodeProtectedHeader(token);
          signed.push({ kid, asked, answered });
          signer.add(kid);
          const currentDate = new Date(server.clock.now);
          await jwtVerify(token, createLocalJWKSet(cache.jwks), {
            issuer,
            audience,
            currentDate,
          }).catch((error: unknown) => failures.push(String(error)));
          await sleep(10);
        }
      };
      const running = replicas.map(async (server, index) =>
        load(server, signers[index] as Set<string>),
      );
      successor = await rotate(fixture.server);
      await Promise.all(running);
      expect(failures).toEqual([]);
      expect(signers.map(({ size }) => size)).toEqual([2, 2]);
      const activeAt = Date.parse(successor.active_at);
      // The test's clock is the database's, to a second: they are on one machine.
      expect(
        signed.filter(({ kid, answered }) => kid === successor?.kid && answered < activeAt - 1000),
      ).toEqual([]);
      expect(
        signed.filter(({ kid, asked }) => kid !== successor?.kid && asked > activeAt + 1000),
      ).toEqual([]);
      // What the one ahead makes signs at once on the one behind, too.
      const { kid } = await rotate(replicas[1] as TestServer, true);
      await shown(fixture.server);
      expect(await kidsNow()).toEqual([kid, kid]);
    });
  },
);
