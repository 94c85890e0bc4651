import { decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { replicaThatDoesNotLook } from '../support/replica-that-does-not-look.ts';
import { basic, startOfTime, testServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import { clientSecret, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

afterEach(() => void vi.restoreAllMocks());

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a replica that wakes from a pause, on $name',
  (kind) => {
    it.each([
      ['by the clock', { clock: 3001, ticks: 0 }],
      ['by the clock that only goes forward', { clock: 0, ticks: 3001 }],
      ['by a clock that was set back', { clock: -3001, ticks: 0 }],
    ])(
      'signs with no key that it saw too long ago %s: it may have been revoked',
      async (_, passed) => {
        const store = await kind.make();
        const fixture = await tokenEndpointFixture({ store });
        const paused = await replicaThatDoesNotLook(async () =>
          testServer({ store, clock: { now: startOfTime } }),
        );
        const ask = async () => {
          const dpop = await fixture.key.proof({ iat: paused.clock.now / 1000 });
          const { body } = await paused.post(
            '/token',
            { grant_type: 'client_credentials' },
            { authorization: basic('app', clientSecret), dpop },
          );
          return decodeProtectedHeader(body.access_token as string).kid;
        };
        const leaked = await ask();
        fixture.server.clock.now += 10;
        expect(
          (await fixture.server.admin('POST', `signing-keys/${String(leaked)}/revoke`)).status,
        ).toBe(204);
        const ticks = performance.now.bind(performance);
        vi.spyOn(performance, 'now').mockImplementation(() => ticks() + passed.ticks);
        paused.clock.now += passed.clock;
        const { keys } = (await fixture.server.get('/jwks')).body as JSONWebKeySet;
        expect(keys.map(({ kid }) => kid)).toContain(await ask());
        await fixture.server.stop();
        await paused.stop();
        await store.remove();
      },
    );
  },
);
