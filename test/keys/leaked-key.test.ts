import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { describe, it, type TestContext } from 'vitest';
import { adapterFor } from '../../src/store/connection/adapters.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { adminToken, basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';
import {
  assertionForm,
  audience,
  clientSecret,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

type OnTestFinished = TestContext['onTestFinished'];

// docs/operations/leaked-key.md, its calls in its order; the clock of the servers stands still but for what a test moves.
describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'recover from a leaked key, on $name',
  (kind) => {
    // PostgreSQL has too few connections for all of them at once.
    const test = kind === onSqlite ? it.concurrent : it;
    /** Two servers on a store of their own: the tests wait side by side. */
    const open = async (whenFinished: OnTestFinished) => {
      const clock = { now: startOfTime };
      const store = await kind.make();
      const fixture = await tokenEndpointFixture({ store, clock });
      const replica = { other: await testServer({ store, clock }) };
      const thief = await testKey();
      whenFinished(async () => {
        await replica.other.stop();
        await fixture.server.stop();
        await store.remove();
      });
      const admin = async (method: string, path: string, body?: object) =>
        fixture.server.admin(method, path, body);
      const resourceServer = async () =>
        (await admin('GET', 'resource-servers')).body.items[0].id as string;
      const seconds = () => Math.floor(clock.now / 1000);
      const proof = async (by: TestKey) => by.proof({ iat: seconds() });
      const withSecret = async (by: TestKey, secret = clientSecret, server = replica.other) =>
        server.post(
          '/token',
          { grant_type: 'client_credentials' },
          { authorization: basic('app', secret), dpop: await proof(by) },
        );
      const withAssertion = async (by: TestKey, signer: TestKey, server = replica.other) => {
        const assertion = await signer.assertion('signer', { iat: seconds(), exp: seconds() + 60 });
        return server.post(
          '/token',
          assertionForm(assertion, { req_cnf: JSON.stringify({ jkt: by.jkt }) }),
          { dpop: await proof(by) },
        );
      };
      const rsId = async () =>
        (await admin('GET', 'resource-servers')).body.items[0].client_id as string;
      const introspect = async (server: TestServer, token: string, secret = clientSecret) =>
        server.post('/introspect', { token }, { authorization: basic(await rsId(), secret) });
      const active = async (token: string) =>
        Promise.all(
          [fixture.server, replica.other].map(
            async (server) => (await introspect(server, token)).body.active as boolean,
          ),
        );
      const keys = async () =>
        (await admin('GET', 'signing-keys')).body.items as {
          kid: string;
          state: string;
          alg: string;
        }[];
      const execute = async (sql: string) => {
        const connection = await (
          await adapterFor(String(store.env['DATABASE_URL']), () => undefined)
        ).connect();
        await connection.executeRaw({ sql, args: [], argTypes: [] });
        await connection.dispose();
      };
      const restart = async (env: Record<string, string>, of = clock) => {
        await replica.other.stop();
        replica.other = await testServer({ store, clock: of, env });
      };
      await admin('PATCH', `resource-servers/${await resourceServer()}`, {
        client_secret: clientSecret,
      });
      return {
        clock,
        fixture,
        replica,
        thief,
        admin,
        resourceServer,
        withSecret,
        withAssertion,
        introspect,
        active,
        keys,
        execute,
        restart,
      };
    };

    test('a signing key, and the others with it', async ({ expect, onTestFinished }) => {
      const { clock, fixture, replica, admin, withSecret, active, keys } =
        await open(onTestFinished);
      const token = (await withSecret(fixture.key)).body.access_token as string;
      const { kid = '' } = decodeProtectedHeader(token);
      clock.now += 1000;
      expect((await admin('POST', `signing-keys/${kid}/revoke`)).status).toBe(204);
      expect(await active(token)).toEqual([false, false]);
      expect(
        ((await fixture.server.get('/jwks')).body as JSONWebKeySet).keys.map((key) => key.kid),
      ).not.toContain(kid);
      await sleep(1500);
      expect(
        ((await replica.other.get('/jwks')).body as JSONWebKeySet).keys.map((key) => key.kid),
      ).not.toContain(kid);
      const second = (await withSecret(fixture.key)).body.access_token as string;
      expect(await active(second)).toEqual([true, true]);
      const before = (await keys()).filter(({ state }) => state !== 'revoked');
      clock.now += 1000;
      for (const alg of new Set(before.map((key) => key.alg)))
        await admin('POST', 'signing-keys/rotate', { alg, immediately: true });
      for (const key of before)
        expect((await admin('POST', `signing-keys/${key.kid}/revoke`)).status).toBe(204);
      expect(await active(second)).toEqual([false, false]);
      expect((await keys()).map(({ state }) => state)).toEqual(['revoked', 'revoked', 'active']);
      await sleep(1500);
      expect(await active((await withSecret(fixture.key)).body.access_token as string)).toEqual([
        true,
        true,
      ]);
    });

    test('a key: what a replica has issued whose clock is ahead by more than it should be is revoked as well', async ({
      expect,
      onTestFinished,
    }) => {
      const { clock, replica, thief, admin, introspect, restart } = await open(onTestFinished);
      const ahead = { now: clock.now + 90_000 };
      await restart({}, ahead);
      const dpop = await thief.proof({ iat: ahead.now / 1000 });
      const { body } = await replica.other.post(
        '/token',
        { grant_type: 'client_credentials' },
        { authorization: basic('app', clientSecret), dpop },
      );
      const token = body.access_token as string;
      expect((await introspect(replica.other, token)).body.active).toBe(true);
      expect((await admin('DELETE', `keys/${thief.jkt}/tokens`)).body.revoked).toBe(1);
      expect((await introspect(replica.other, token)).body).toEqual({ active: false });
    });

    test("a client's key: the thief's tokens, bound to a key of their own, are reached by client only", async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, thief, admin, withAssertion, active } = await open(onTestFinished);
      const leaked = fixture.key;
      const own = (await withAssertion(leaked, leaked)).body.access_token as string;
      const stolen = (await withAssertion(thief, leaked)).body.access_token as string;
      const fresh = await testKey();
      expect((await admin('PATCH', 'clients/signer', { jwks: { keys: [fresh.jwk] } })).status).toBe(
        200,
      );
      expect((await withAssertion(thief, leaked, fixture.server)).status).toBe(401);
      await sleep(1000);
      expect((await withAssertion(thief, leaked)).status).toBe(401);
      expect(await active(own)).toEqual([false, false]);
      expect(await active(stolen)).toEqual([true, true]);
      expect((await admin('DELETE', 'clients/signer/tokens')).body.revoked).toBe(1);
      expect(await active(stolen)).toEqual([false, false]);
      expect((await withAssertion(fresh, fresh)).status).toBe(200);
    });

    test('a client whose keys are at a jwks_uri, or that has to be stopped first; a key that only proves possession', async ({
      expect,
      onTestFinished,
    }) => {
      const { fixture, admin, withSecret, active } = await open(onTestFinished);
      const jwks = { keys: [fixture.key.jwk] };
      await admin('POST', 'clients', {
        client_id: 'remote',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri: 'https://client.example.com/jwks',
      });
      expect((await admin('PATCH', 'clients/remote', { jwks_uri: null, jwks })).body).toMatchObject(
        { client_id: 'remote', jwks },
      );
      const token = (await withSecret(fixture.key)).body.access_token as string;
      expect((await admin('PATCH', 'clients/app', { disabled: true })).status).toBe(200);
      expect(await active(token)).toEqual([false, false]);
      expect((await admin('PATCH', 'clients/app', { disabled: false })).status).toBe(200);
      expect(await active(token)).toEqual([true, true]);
      expect((await admin('DELETE', `keys/${fixture.key.jkt}/tokens`)).body.revoked).toBe(1);
      expect(await active(token)).toEqual([false, false]);
    });

    test('a client secret', async ({ expect, onTestFinished }) => {
      const { fixture, thief, admin, withSecret, active } = await open(onTestFinished);
      const stolen = (await withSecret(thief)).body.access_token as string;
      const secret = 'n'.repeat(32);
      expect((await admin('PATCH', 'clients/app', { client_secret: secret })).status).toBe(200);
      expect((await withSecret(thief, clientSecret, fixture.server)).status).toBe(401);
      await sleep(1000);
      expect((await withSecret(thief)).status).toBe(401);
      expect((await admin('DELETE', 'clients/app/tokens')).body.revoked).toBe(1);
      expect(await active(stolen)).toEqual([false, false]);
      expect((await withSecret(fixture.key, secret)).status).toBe(200);
    });

    test("a resource server's secret", async ({ expect, onTestFinished }) => {
      const { fixture, replica, admin, resourceServer, withSecret, introspect } =
        await open(onTestFinished);
      const id = await resourceServer();
      const token = (await withSecret(fixture.key)).body.access_token as string;
      expect((await introspect(replica.other, token)).body.active).toBe(true);
      const { status, body } = await admin('POST', `resource-servers/${id}/secrets`, {});
      expect(status).toBe(201);
      const [old] = (await admin('GET', `resource-servers/${id}/secrets`)).body.items as {
        id: string;
      }[];
      expect((await admin('DELETE', `resource-servers/${id}/secrets/${old?.id}`)).status).toBe(204);
      expect((await introspect(fixture.server, token)).status).toBe(401);
      await sleep(1000);
      expect((await introspect(replica.other, token)).status).toBe(401);
      expect(
        (await introspect(replica.other, token, body.client_secret as string)).body,
      ).toMatchObject({
        active: true,
        aud: audience,
      });
    });

    test('the admin token: that of the environment counts alone; that of the first start is good again without it, until its hash is deleted', async ({
      expect,
      onTestFinished,
    }) => {
      const { replica, execute, restart } = await open(onTestFinished);
      const replaced = 'b'.repeat(32);
      await restart({ ADMIN_TOKEN: replaced });
      const asked = async (token: string) =>
        (
          await fetch(`${replica.other.adminUrl}/admin/clients`, {
            headers: { authorization: `Bearer ${token}` },
          })
        ).status;
      expect([await asked(adminToken), await asked(replaced)]).toEqual([401, 200]);
      await restart({ ADMIN_TOKEN: '' });
      const file = /admin token +in (\S+)/.exec(replica.other.printed.join(''))?.[1] ?? '';
      const ofFirstStart = readFileSync(file, 'utf8').trim();
      expect(await asked(ofFirstStart)).toBe(200);
      await restart({ ADMIN_TOKEN: replaced });
      expect(await asked(ofFirstStart)).toBe(401);
      await restart({ ADMIN_TOKEN: '' });
      expect(await asked(ofFirstStart)).toBe(200);
      await execute("delete from shared_secret where name = 'admin_token_hash'");
      rmSync(file);
      await restart({ ADMIN_TOKEN: '' });
      expect(await asked(ofFirstStart)).toBe(401);
      expect(await asked(readFileSync(file, 'utf8').trim())).toBe(200);
    });
  },
);
