import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { openPair } from '../support/pair.ts';
import { basic, formBody, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  assertionForm,
  audience,
  clientSecret,
  jwtBearer,
  outcomeOf,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const secretOf = (letter: string) => letter.repeat(32);
const minute = 60;

// One for all: a process reads whom it trusts with its first connection.
let jwks: HttpsJwks;
beforeAll(async () => {
  jwks = await httpsJwks([]);
});
afterAll(async () => jwks.close());

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'when a credential was last used, on $name',
  (kind) => {
    const clock = { now: startOfTime };
    const env = {
      CLIENT_CERTIFICATE_HEADER: 'rfc9440',
      TRUSTED_PROXIES: '127.0.0.0/8, ::1/128',
      CLEANUP_INTERVAL: '1',
      JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true',
    };
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    beforeAll(async () => {
      store = await kind.make();
      fixture = await tokenEndpointFixture({ store, clock, env });
    });
    afterAll(async () => {
      await fixture.server.stop();
      await store.remove();
    });

    const at = () => Math.floor(clock.now / 1000);
    const admin = async (method: string, path: string, body?: object) =>
      fixture.server.admin(method, path, body);
    const register = async (clientId: string, members: object) =>
      expect((await admin('POST', 'clients', { client_id: clientId, ...members })).status).toBe(
        201,
      );
    const ask = async (
      clientId: string,
      secret: string,
      server: TestServer = fixture.server,
      form: object = {},
    ) => {
      const proof = await fixture.key.proof({ iat: Math.floor(server.clock.now / 1000) });
      return (
        await server.post(
          '/token',
          { grant_type: 'client_credentials', resource: audience, ...form },
          { authorization: basic(clientId, secret), dpop: proof },
        )
      ).status;
    };
    const assert = async (
      clientId: string,
      key: TestKey,
      header: object = {},
      claims: object = {},
    ) =>
      assertionForm(
        await key.assertion(clientId, { iat: at(), exp: at() + 60, ...claims }, header),
        { resource: audience },
      );
    const sign = async (form: Record<string, string>) =>
      (await fixture.server.post('/token', form, { dpop: await fixture.key.proof({ iat: at() }) }))
        .status;
    const present = async (clientId: string, { der }: TestCertificate) =>
      outcomeOf(
        await fixture.send({
          form: formBody({
            grant_type: 'client_credentials',
            client_id: clientId,
            resource: audience,
          }),
          authorization: null,
          dpop: await fixture.key.proof({ iat: at() }),
          fields: [['client-cert', `:${der.toString('base64')}:`]],
        }),
      ).slice(0, 3);
    /** `last_used_at` of each secret, the oldest first. */
    const secrets = async (path: string): Promise<(number | undefined)[]> =>
      (await admin('GET', `${path}/secrets`)).body.items.map(
        ({ last_used_at }: { last_used_at?: number }) => last_used_at,
      );
    const credentials = async (clientId: string) =>
      (await admin('GET', `clients/${clientId}`)).body.credentials;
    const sql = async (statement: string) => execute(store, statement);
    /** Waits for the round that writes; then what is expected has to be there. */
    const soon = async <T>(read: () => Promise<T>, expected: T) => {
      for (let tries = 0; tries < 100 && !same(await read(), expected); tries++) await sleep(100);
      expect(await read()).toEqual(expected);
    };
    const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
    let marks = 0;
    /** When this answers, all that was noted before is written: uses are written in their order. */
    const written = async () => {
      const marker = `marker-${++marks}`;
      await register(marker, { client_secret: clientSecret });
      expect(await ask(marker, clientSecret)).toBe(200);
      await soon(() => secrets(`clients/${marker}`), [at()]);
    };

    it('secrets: each shows its own last use; a refused authentication is none', async () => {
      await register('secrets', {
        client_secret: secretOf('a'),
        token_endpoint_auth_method: 'client_secret_basic',
      });
      await admin('POST', 'clients/secrets/secrets', {
        client_secret: secretOf('b'),
        expires_at: at() + 10 * minute,
      });
      await admin('POST', 'clients/secrets/secrets', { client_secret: secretOf('c') });
      const start = at();
      expect(await secrets('clients/secrets')).toEqual([undefined, undefined, undefined]);
      expect(await ask('secrets', secretOf('a'))).toBe(200);
      clock.now += 5 * minute * 1000;
      expect(await ask('secrets', secretOf('b'))).toBe(200);
      await soon(() => secrets('clients/secrets'), [start, start + 5 * minute, undefined]);
      clock.now += 5 * minute * 1000;
      expect(await ask('secrets', secretOf('b'))).toBe(401);
      expect(await ask('secrets', secretOf('d'))).toBe(401);
      const post = {
        grant_type: 'client_credentials',
        client_id: 'secrets',
        client_secret: secretOf('a'),
      };
      expect(
        (
          await fixture.server.post('/token', post, {
            dpop: await fixture.key.proof({ iat: at() }),
          })
        ).status,
      ).toBe(401);
      await admin('PATCH', 'clients/secrets', { disabled: true });
      expect(await ask('secrets', secretOf('c'))).toBe(401);
      await written();
      expect(await secrets('clients/secrets')).toEqual([start, start + 5 * minute, undefined]);
    });
    it('a request that is refused after authentication used the secret nevertheless', async () => {
      await register('refused', { client_secret: clientSecret, scope: 'read' });
      expect(await ask('refused', clientSecret, fixture.server, { scope: 'write' })).toBe(400);
      await soon(() => secrets('clients/refused'), [at()]);
    });
    it('is written once a minute', async () => {
      await register('busy', { client_secret: clientSecret });
      const start = at();
      await ask('busy', clientSecret);
      clock.now += 59_999;
      await ask('busy', clientSecret);
      await written();
      expect(await secrets('clients/busy')).toEqual([start]);
      clock.now += 1;
      await ask('busy', clientSecret);
      await soon(() => secrets('clients/busy'), [start + minute]);
    });
    it('secrets of a resource server, by introspection', async () => {
      const { body: server } = await admin('POST', 'resource-servers', {
        audience: 'urn:example:last-used',
      });
      await admin('POST', `resource-servers/${server.id}/secrets`, {
        client_secret: secretOf('z'),
      });
      const introspect = async (secret: string) =>
        (
          await fixture.server.post(
            '/introspect',
            { token: 'x' },
            { authorization: basic(server.client_id, secret) },
          )
        ).status;
      expect(await introspect(secretOf('z'))).toBe(200);
      await soon(() => secrets(`resource-servers/${server.id}`), [undefined, at()]);
      expect(await introspect(secretOf('y'))).toBe(401);
      await written();
      expect(await secrets(`resource-servers/${server.id}`)).toEqual([undefined, at()]);
      expect(await introspect(server.client_secret)).toBe(200);
      await soon(() => secrets(`resource-servers/${server.id}`), [at(), at()]);
    });

    it('keys in jwks: by assertion at the token and the revocation endpoint; a copied or badly signed assertion is no use', async () => {
      const keys = [await testKey(), await testKey(), await testKey()] as const;
      const [first, second, third] = keys;
      const members = {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: keys.map(({ jwk }, index) => ({ ...jwk, kid: `k${index}` })) },
      };
      await register('keyed', members);
      const start = at();
      const shown = (...times: (number | undefined)[]) =>
        keys.map(({ jkt }, index) => ({
          jkt,
          kid: `k${index}`,
          ...(times[index] !== undefined && { last_used_at: times[index] }),
        }));
      expect(await credentials('keyed')).toEqual({ keys: shown(), certificates: [] });
      const form = await assert('keyed', first, { kid: 'k0' }, { exp: at() + 250 });
      expect(await sign(form)).toBe(200);
      clock.now += 2 * minute * 1000;
      const revocation = {
        token: 'x',
        client_assertion_type: jwtBearer,
        client_assertion: (await assert('keyed', second, { kid: 'k1' }))['client_assertion'],
      };
      expect((await fixture.server.post('/revoke', revocation)).status).toBe(200);
      // A copy of the first key's assertion, one by a key that only names the third, one for another server.
      expect(await sign(form)).toBe(401);
      expect(
        (
          await fixture.server.post('/revoke', {
            ...revocation,
            client_assertion: form['client_assertion'],
          })
        ).status,
      ).toBe(401);
      expect(await sign(await assert('keyed', await testKey(), { kid: 'k2' }))).toBe(401);
      expect(
        await sign(await assert('keyed', third, { kid: 'k2' }, { aud: 'https://other.example' })),
      ).toBe(401);
      await written();
      expect((await credentials('keyed')).keys).toEqual(shown(start, start + 2 * minute));
      await admin('PATCH', 'clients/keyed', { jwks: { keys: [members.jwks.keys[1]] } });
      expect((await credentials('keyed')).keys).toEqual([shown(start, start + 2 * minute)[1]]);
    });
    it('a registered key that is proven by DPoP; a key that is not registered is not listed', async () => {
      const registered = await testKey();
      await register('prover', {
        client_secret: clientSecret,
        jwks: { keys: [{ ...registered.jwk, kid: 'p' }] },
      });
      const prove = async (key: TestKey) =>
        (
          await fixture.server.post(
            '/token',
            { grant_type: 'client_credentials', resource: audience },
            { authorization: basic('prover', clientSecret), dpop: await key.proof({ iat: at() }) },
          )
        ).status;
      expect(await prove(fixture.key)).toBe(200);
      await written();
      expect((await credentials('prover')).keys).toEqual([{ jkt: registered.jkt, kid: 'p' }]);
      expect(await prove(registered)).toBe(200);
      await soon(
        async () => (await credentials('prover')).keys,
        [{ jkt: registered.jkt, kid: 'p', last_used_at: at() }],
      );
    });
    it('keys behind jwks_uri: those that were used, with kid; a kid beyond ASCII is left out', async () => {
      const [first, second, odd] = [await testKey(), await testKey(), await testKey()];
      const oddKid = 'Schlüssel';
      jwks.keys.current = [
        { ...first.jwk, kid: 'first' },
        { ...second.jwk, kid: 'second' },
        { ...odd.jwk, kid: oddKid },
      ];
      await register('remote', {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri: jwks.uri,
      });
      expect(await sign(await assert('remote', second, { kid: 'second' }))).toBe(200);
      const start = at();
      clock.now += minute * 1000;
      expect(await sign(await assert('remote', odd, { kid: oddKid }))).toBe(200);
      await soon(
        async () => (await credentials('remote')).keys,
        [
          { jkt: odd.jkt, last_used_at: at() },
          { jkt: second.jkt, kid: 'second', last_used_at: start },
        ],
      );
    });
    it('a self-signed certificate is renewed ahead of time: each shows its own last use', async () => {
      const [old, next] = [await certificate(), await certificate()];
      const listed = (...some: TestCertificate[]) => ({
        jwks: { keys: some.map(({ jwk, der }) => ({ ...jwk, x5c: [der.toString('base64')] })) },
      });
      await register('tls', {
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        ...listed(old),
      });
      const start = at();
      expect([await present('tls', old), await present('tls', next)]).toEqual(['200', '401']);
      clock.now += minute * 1000;
      await admin('PATCH', 'clients/tls', listed(old, next));
      const certificates = async () => (await credentials('tls')).certificates;
      await soon(certificates, [
        { 'x5t#S256': old.x5tS256, last_used_at: start },
        { 'x5t#S256': next.x5tS256 },
      ]);
      expect(await present('tls', next)).toBe('200');
      clock.now += minute * 1000;
      expect(await present('tls', old)).toBe('200');
      await soon(certificates, [
        { 'x5t#S256': old.x5tS256, last_used_at: start + 2 * minute },
        { 'x5t#S256': next.x5tS256, last_used_at: start + minute },
      ]);
      await admin('PATCH', 'clients/tls', listed(next));
      clock.now += minute * 1000;
      expect(await present('tls', old)).toBe('401');
      await written();
      expect(await certificates()).toEqual([
        { 'x5t#S256': next.x5tS256, last_used_at: start + minute },
      ]);
    });

    it('of two replicas the later time wins, whichever writes last; both write what is left when they stop', async () => {
      await register('replicated', { client_secret: clientSecret });
      const slow = { CLEANUP_INTERVAL: '3600' };
      const [ahead, behind] = [{ now: clock.now + 7000 }, { now: clock.now - 5000 }];
      const early = await testServer({ store, clock: behind, env: { ...env, ...slow } });
      const late = await testServer({ store, clock: ahead, env: { ...env, ...slow } });
      expect([
        await ask('replicated', clientSecret, early),
        await ask('replicated', clientSecret, late),
      ]).toEqual([200, 200]);
      expect(await secrets('clients/replicated')).toEqual([undefined]);
      await late.stop();
      expect(await secrets('clients/replicated')).toEqual([at() + 7]);
      await early.stop();
      expect(await secrets('clients/replicated')).toEqual([at() + 7]);
    });
    it('while they cannot be written, requests are answered, the log says so, and nothing is lost', async () => {
      await register('patient', { client_secret: clientSecret });
      await sql('alter table credential_use rename to credential_use_away');
      const failed = () =>
        fixture.server.logs.filter(({ job }) => job === 'credential_uses').length;
      const before = failed();
      expect(await ask('patient', clientSecret)).toBe(200);
      for (let tries = 0; tries < 100 && failed() === before; tries++) await sleep(100);
      expect(failed()).toBeGreaterThan(before);
      await sql('alter table credential_use_away rename to credential_use');
      await soon(() => secrets('clients/patient'), [at()]);
    });

    it('RFC 9449 §5: a client that makes a key for every request grows nothing, though its registered keys may be added without a fresh proof', async () => {
      const registered = await testKey();
      await register('many-keys', {
        client_secret: clientSecret,
        alt_cnf_registered_key: true,
        jwks: { keys: [registered.jwk] },
      });
      const authorization = basic('many-keys', clientSecret);
      for (const key of [
        registered,
        ...(await Promise.all(Array.from({ length: 10 }, async () => testKey()))),
      ])
        expect(
          await fixture.outcome({
            form: { grant_type: 'client_credentials', resource: audience },
            authorization,
            dpop: await key.proof({ iat: at() }),
          }),
        ).toBe(`200 ${key.jkt}`);
      await written();
      const rows = await sql(
        "select kind, identifier from credential_use where client_id = (select registration_id from client where client_id = 'many-keys') and kind <> 'secret' order by kind",
      );
      expect(rows).toEqual([
        ['key', registered.jkt],
        ['registered_key', registered.jkt],
      ]);
    });

    it('uses of what is deleted go, those older than a year too; the others stay', async () => {
      const { body: server } = await admin('POST', 'resource-servers', {
        audience: 'urn:example:short-lived',
        client_id: 'short-lived',
      });
      for (const client of ['stays', 'gone']) {
        await register(client, { client_secret: clientSecret });
        expect(await ask(client, clientSecret)).toBe(200);
      }
      await fixture.server.post(
        '/introspect',
        { token: 'x' },
        { authorization: basic('short-lived', server.client_secret) },
      );
      await soon(() => secrets('clients/gone'), [at()]);
      await soon(() => secrets(`resource-servers/${server.id}`), [at()]);
      const owners = async () =>
        new Set(
          (await sql('select client_id from credential_use')).map(([owner]) => String(owner)),
        );
      const [[gone] = [], [stays] = []] = await sql(
        "select registration_id from client where client_id in ('gone', 'stays') order by client_id",
      );
      expect([...(await owners())]).toEqual(expect.arrayContaining([gone, server.id, stays]));
      await admin('DELETE', 'clients/gone');
      expect((await owners()).has(String(gone))).toBe(false);
      await admin('DELETE', `resource-servers/${server.id}`);
      // What another replica writes of it later; enough of it for several pages.
      const ids = Array.from(
        { length: 1300 },
        (_, index) => `('gone-${index}', 'secret', 'x', ${clock.now})`,
      ).join();
      await sql(
        `insert into credential_use (client_id, kind, identifier, used_at) values ('${String(gone)}', 'key', 'x', ${Number(clock.now)}), ${ids} returning kind`,
      );
      await soon(
        async () =>
          [...(await owners())].filter(
            (owner) => owner.startsWith('gone') || owner === gone || owner === server.id,
          ),
        [],
      );
      expect((await owners()).has(String(stays))).toBe(true);

      clock.now += 367 * 86_400_000;
      expect(await ask('stays', clientSecret)).toBe(200);
      await soon(async () => [...(await owners())], [stays]);
      expect(await secrets('clients/stays')).toEqual([at()]);
    });
  },
);

it('the key of a cnf-proof+jwt counts as used by its holder', async () => {
  const pair = await openPair({ env: { CLEANUP_INTERVAL: '1' } });
  expect((await pair.ask()).status).toBe(200);
  const keys = async () =>
    (await pair.server.admin('GET', 'clients/backend')).body.credentials.keys;
  for (let tries = 0; tries < 100 && (await keys())[0].last_used_at === undefined; tries++)
    await sleep(50);
  expect(await keys()).toEqual([{ jkt: pair.backendKey.jkt, kid: 'be-1', last_used_at: seconds }]);
  await pair.server.stop();
});
