import { randomBytes } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { describe, expect, it } from 'vitest';
import { migrationAdapterFor } from '../../src/store/connection/adapters.ts';
import { basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import {
  assertionForm,
  audience,
  clientSecret,
  seconds,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

/** Seconds to wait by docs/operations/backup.md with everything at its default. */
const wait = 360;

async function execute(url: string, sql: string): Promise<void> {
  const connection = await (await migrationAdapterFor(url)).connect();
  await connection.executeScript(sql);
  await connection.dispose();
}

/** Backs a database up under a URL of its own, as the page says: no server is running on it. */
async function backUp(url: string): Promise<{ readonly url: string; remove(): Promise<void> }> {
  if (url.startsWith('file:')) {
    await execute(url, `vacuum into '${url.slice('file:'.length)}.backup'`);
    return { url: `${url}.backup`, remove: async () => undefined };
  }
  const [name, copy] = [
    new URL(url).pathname.slice(1),
    `holdfast_${randomBytes(6).toString('hex')}`,
  ];
  const server = String(process.env['TEST_DATABASE_URL']);
  // A copy needs a database to which nobody is connected; a connection that was closed may still be ending.
  await execute(
    server,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
  );
  await execute(server, `create database ${copy} template ${name}`);
  return {
    url: Object.assign(new URL(url), { pathname: `/${copy}` }).href,
    remove: async () => execute(server, `drop database ${copy} with (force)`),
  };
}

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a database restored from a backup, on $name',
  { timeout: 60_000 },
  (kind) => {
    it('accepts nothing twice after the wait, knows no later token or key, and is rid of lost revocations by a new signing key', async () => {
      const store = await kind.make();
      const env = { KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64url') };
      const clock = { now: startOfTime };
      const fixture = await tokenEndpointFixture({ store, env, clock });
      await fixture.server.admin('POST', 'resource-servers', {
        audience: 'https://two.example.com',
        client_id: 'rs',
        client_secret: clientSecret,
      });
      const { body: listed } = await fixture.server.admin('GET', 'resource-servers');
      const own = (listed.items as { id: string; audience: string }[]).find(
        (one) => one.audience === audience,
      );
      await fixture.server.admin('DELETE', `resource-servers/${own?.id}`);
      await fixture.server.admin('POST', 'resource-servers', {
        audience,
        client_id: 'api',
        client_secret: clientSecret,
      });
      const fresh = async () => fixture.key.proof({ iat: Math.floor(clock.now / 1000) });
      const ask = async (server: TestServer, dpop: string) =>
        server.post(
          '/token',
          { grant_type: 'client_credentials', resource: audience },
          { authorization: basic('app', clientSecret), dpop },
        );
      const tokenOf = async (server: TestServer) =>
        String((await ask(server, await fresh())).body.access_token);
      const active = async (server: TestServer, token: string) =>
        (await server.post('/introspect', { token }, { authorization: basic('api', clientSecret) }))
          .body.active as boolean;
      const rotate = async (server: TestServer) =>
        server.admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately: true });

      const earlyProof = await fresh();
      const early = String((await ask(fixture.server, earlyProof)).body.access_token);
      await fixture.server.stop();
      const backup = await backUp(String(store.env['DATABASE_URL']));

      const original = await testServer({ store, env, clock });
      expect((await original.admin('DELETE', `tokens/${decodeJwt(early).jti}`)).status).toBe(204);
      expect(await active(original, early)).toBe(false);
      const late = await tokenOf(original);
      clock.now += 1000;
      await rotate(original);
      const byLostKey = await tokenOf(original);
      expect(decodeProtectedHeader(byLostKey).kid).not.toBe(decodeProtectedHeader(early).kid);
      const lateProof = await fixture.key.proof({ iat: seconds + 30 });
      expect((await ask(original, lateProof)).status).toBe(200);
      const assertion = await fixture.key.assertion(
        'signer',
        { exp: seconds + 300 },
        { kid: 'registered' },
      );
      const withAssertion = async (server: TestServer) =>
        server.post('/token', assertionForm(assertion, { resource: audience }), {
          dpop: await fresh(),
        });
      expect((await withAssertion(original)).status).toBe(200);
      await original.stop();

      clock.now = startOfTime + 2000;
      const restored = await testServer({
        store: { ...store, env: { ...store.env, DATABASE_URL: backup.url } },
        env,
        clock,
      });
      expect((await ask(restored, earlyProof)).body.error).toBe('invalid_dpop_proof');
      // The one reason for the wait: these uses are not in the backup.
      clock.now += wait * 1000;
      expect((await ask(restored, lateProof)).body.error).toBe('invalid_dpop_proof');
      expect((await withAssertion(restored)).body.error).toBe('invalid_client');

      expect(
        await Promise.all([early, late, byLostKey].map(async (token) => active(restored, token))),
      ).toEqual([true, false, false]);
      const kids = ((await restored.get('/jwks')).body as JSONWebKeySet).keys.map(({ kid }) => kid);
      expect(kids).toEqual([decodeProtectedHeader(early).kid]);
      // What the operator does about the lost revocation.
      await rotate(restored);
      expect((await restored.admin('POST', `signing-keys/${kids[0]}/revoke`)).status).toBe(204);
      expect(await active(restored, early)).toBe(false);
      expect(await active(restored, await tokenOf(restored))).toBe(true);
      await restored.stop();
      await backup.remove();
      await store.remove();
    });
  },
);
