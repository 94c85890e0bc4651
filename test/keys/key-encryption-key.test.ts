import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { generateKey } from '../../src/keys/generate-key.ts';
import { keyEncryption, keyEncryptionKeyId } from '../../src/keys/key-encryption.ts';
import { noPeers } from '../../src/ports/peers.ts';
import type { StoredSigningKey } from '../../src/ports/signing-key-store.ts';
import { openStores } from '../../src/store/stores.ts';
import { testKey } from '../support/keys.ts';
import { basic, issuer, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import { audience, clientSecret, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const [a, b, c] = [1, 2, 3].map(() => randomBytes(32).toString('base64url')) as [
  string,
  string,
  string,
];
const change = async (server: TestServer) => server.admin('POST', 'key-encryption-key/rotate');
const rotate = async (server: TestServer) =>
  server.admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately: true });
const kidsOf = async (server: TestServer) =>
  ((await server.get('/jwks')).body as JSONWebKeySet).keys.map(({ kid }) => kid);

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a new key-encryption key on $name',
  { timeout: 60_000 },
  (kind) => {
    let store: TestStore;
    const running: TestServer[] = [];
    const start = async (current: string, next?: string) => {
      const env = {
        KEY_ENCRYPTION_KEY: current,
        ...(next !== undefined && { KEY_ENCRYPTION_KEY_NEXT: next }),
      };
      const server = await testServer({ store, env });
      running.push(server);
      return server;
    };
    const stopAll = async () => {
      await Promise.all(running.splice(0).map(async (server) => server.stop()));
    };
    const query = async (sql: string) => (await execute(store, sql)) as string[][];
    const sealed = async () => [
      ...(await query('select kid, private_jwe from signing_key order by kid')),
      ...(await query('select name, value from shared_secret order by name')),
    ];
    beforeEach(async () => {
      store = await kind.make();
    });
    afterEach(async () => {
      await stopAll();
      await store.remove();
    });

    it('one call, two replicas that go on issuing: only the new key opens the database, and nothing is lost', async () => {
      const env = { KEY_ENCRYPTION_KEY: a };
      const fixture = await tokenEndpointFixture({ store, env });
      running.push(fixture.server);
      const before = await kidsOf(fixture.server);
      await stopAll();
      const [one, two] = [await start(a, b), await start(a, b)];
      const key = await testKey();
      const issue = async (server: TestServer) =>
        server.post(
          '/token',
          { grant_type: 'client_credentials' },
          { authorization: basic('app', clientSecret), dpop: await key.proof() },
        );
      const during = await Promise.all(
        [one, two].flatMap((server) => [
          issue(server),
          change(server),
          issue(server),
          change(server),
          issue(server),
        ]),
      );
      const [changes, tokens] = [
        during.filter(({ body }) => 'key_id' in body),
        during.filter(({ body }) => 'access_token' in body),
      ];
      expect([changes.length, tokens.length]).toEqual([4, 6]);
      expect(
        changes.map(({ body }) => `${body.signing_keys} ${body.shared_secrets}`).sort(),
      ).toEqual(['0 0', '0 0', '0 0', '1 1']);
      const { body: events } = await one.admin(
        'GET',
        'audit-events?type=key_encryption_key_changed',
      );
      expect(events.items).toMatchObject([
        {
          actor: 'admin:bootstrap',
          detail: { to: changes[0]?.body.key_id, signing_keys: 1, shared_secrets: 1 },
        },
      ]);
      const jwks = (await two.get('/jwks')).body as JSONWebKeySet;
      const currentDate = new Date(startOfTime);
      for (const { body } of tokens)
        await jwtVerify(body.access_token as string, createLocalJWKSet(jwks), {
          issuer,
          audience,
          currentDate,
        });
      // Both keys open it afterwards too, and what is new is sealed by the new one.
      const again = await start(a, b);
      expect((await rotate(again)).status).toBe(200);
      await stopAll();

      const standing = await sealed();
      await expect(start(a)).rejects.toThrow(
        /was not sealed by this key-encryption key\. Start with the key/,
      );
      expect(await sealed()).toEqual(standing);
      const after = await start(b);
      expect(await kidsOf(after)).toEqual(expect.arrayContaining(before));
      expect((await issue(after)).status).toBe(200);
    });

    it('signing keys that replicas make during changes are sealed by the key in force, every one', async () => {
      const there = await start(a, b);
      await change(there);
      // Its next key is the other's current one: each undoes what the other does.
      const returning = await start(b, a);
      for (let round = 0; round < 8; round++) {
        const made = await Promise.all([
          rotate(there),
          change(returning),
          rotate(returning),
          rotate(there),
          change(there),
          rotate(returning),
        ]);
        expect(made.map(({ status }) => status)).toEqual(made.map(() => 200));
        const [[inForce] = []] = await query(
          "select value from shared_secret where name = 'key_encryption_key'",
        );
        const sealers = (await query('select private_jwe from signing_key')).map(
          ([jwe = '']) => decodeProtectedHeader(jwe)['kid'],
        );
        expect(new Set(sealers)).toEqual(new Set([inForce]));
      }
      await change(there);
      const kids = await query('select kid from signing_key');
      expect(kids.length).toBeGreaterThan(8);
      await stopAll();
      const after = await start(b);
      expect((await after.admin('GET', 'signing-keys')).body.items.length).toBe(kids.length);
    });

    it('a signing key that was sealed by the old one is not stored when the change comes first; a change that does not know of it is not made', async () => {
      const server = await start(a, b);
      const [[old = ''] = []] = await query(
        "select value from shared_secret where name = 'key_encryption_key'",
      );
      const stores = await openStores(readConfig(store.env), {
        logger: pino({ level: 'silent' }),
        clock: () => startOfTime,
        peers: noPeers,
      });
      try {
        const event = { type: 'signing_key_announced', actor: 'server' } as const;
        const [first] = (await stores.signingKeys.listSigningKeys()).keys as [StoredSigningKey];
        const encryption = keyEncryption({ current: Buffer.from(a, 'base64url') }, async () => old);
        const known = await generateKey('ES256', encryption, {
          purpose: 'issuer',
          createdAt: first.createdAt,
          activeAt: first.activeAt,
          predecessor: first.kid,
        });
        const added = async (kid: string, sealedBy: string, predecessor: string) =>
          stores.signingKeys.addSigningKey({ ...known, kid, predecessor, sealedBy }, event);
        expect(await stores.signingKeys.addSigningKey(known, event)).toBe('added');
        expect(await added('second', old, first.kid)).toBe('taken');
        const standing = await sealed();
        const blind = {
          fromKey: old,
          toKey: 'x',
          signingKeys: [{ of: first.kid, from: first.privateJwe, to: 'x' }],
          sharedSecrets: [],
        };
        expect(await stores.keyEncryption.changeKeyEncryptionKey(blind)).toBe(false);
        expect(await sealed()).toEqual(standing);
        const { key_id } = (await change(server)).body as { key_id: string };
        expect(await added('late', old, known.kid)).toBe('sealed_anew');
        expect((await query('select kid from signing_key')).length).toBe(2);
        expect(await added('late', key_id, known.kid)).toBe('added');
      } finally {
        await stores.close();
      }
    });

    it.each([
      ['none', undefined],
      ['the same', a],
    ])('next key: %s: 409, and nothing is changed', async (_, next) => {
      const server = await start(a, next);
      const standing = await sealed();
      expect(await change(server)).toMatchObject({
        status: 409,
        body: { detail: expect.stringMatching(/^this server was started without another key/) },
      });
      expect(await sealed()).toEqual(standing);
    });
    it('a replica with another next key, a sealed key that no key opens: 409, and nothing is changed', async () => {
      const [one, astray] = [await start(a, b), await start(a, c)];
      expect((await change(one)).status).toBe(200);
      const standing = await sealed();
      expect(await change(astray)).toMatchObject({
        status: 409,
        body: { detail: expect.stringMatching(/neither key-encryption key/) },
      });
      expect(await sealed()).toEqual(standing);
      await astray.stop();
      running.splice(running.indexOf(astray), 1);
      const returning = await start(b, a);
      await rotate(returning);
      await query(
        "update signing_key set private_jwe = 'damaged' where kid = (select min(kid) from signing_key) returning kid",
      );
      const damaged = await sealed();
      expect((await change(returning)).status).toBe(409);
      expect(await sealed()).toEqual(damaged);
    });
    it('a replica that was never given the new key: signs until another key takes over, hears of revocations, publishes nothing that it cannot open, says what is wrong; then 503 and not ready', async () => {
      const fixture = await tokenEndpointFixture({ store, env: { KEY_ENCRYPTION_KEY: a } });
      const behind = fixture.server;
      running.push(behind);
      const other = await start(a, b);
      expect((await change(other)).status).toBe(200);
      const ask = async () => JSON.parse((await fixture.send()).body) as { access_token?: string };
      const ready = async () =>
        (await behind.get('/health/ready')).body as { status: string; signing_keys: string };
      const errors = () =>
        behind.logs.filter(
          ({ level, msg }) => level === 50 && msg === 'signing keys not refreshed',
        );

      const { kid: announced } = (
        await other.admin('POST', 'signing-keys/rotate', { alg: 'ES256' })
      ).body as { kid: string };
      await expect.poll(errors, { timeout: 10_000 }).toHaveLength(1);
      expect(await kidsOf(behind)).not.toContain(announced);
      behind.clock.now += 60_000;
      other.clock.now = behind.clock.now;
      const { access_token = '' } = await ask();
      expect(decodeProtectedHeader(access_token).kid).not.toBe(announced);
      expect(await ready()).toMatchObject({ status: 'ready', signing_keys: 'up' });

      expect(
        (
          await other.admin(
            'POST',
            `signing-keys/${String(decodeProtectedHeader(access_token).kid)}/revoke`,
          )
        ).status,
      ).toBe(204);
      await expect.poll(async () => kidsOf(behind), { timeout: 10_000 }).toEqual([]);
      const refused = await fixture.send();
      expect([
        refused.status,
        refused.headers['retry-after'],
        JSON.parse(refused.body).error,
      ]).toEqual([503, '1', 'temporarily_unavailable']);
      expect(await ready()).toMatchObject({ status: 'not_ready', signing_keys: 'down' });
      expect(errors()).toHaveLength(1);
    });

    it('that of one algorithm alone is enough: not ready, 503 for its resource servers, tokens for the others', async () => {
      const fixture = await tokenEndpointFixture({ store, env: { KEY_ENCRYPTION_KEY: a } });
      const behind = fixture.server;
      running.push(behind);
      const other = await start(a, b);
      const resource = 'https://ps.example.com';
      await other.admin('POST', 'resource-servers', {
        audience: resource,
        scopes: ['read'],
        access_token_signing_alg: 'PS256',
      });
      expect((await change(other)).status).toBe(200);
      other.clock.now += 10;
      behind.clock.now += 10;
      expect(
        (await other.admin('POST', 'signing-keys/rotate', { alg: 'PS256', immediately: true }))
          .status,
      ).toBe(200);
      await expect
        .poll(async () => (await behind.get('/health/ready')).status, { timeout: 10_000 })
        .toBe(503);
      const outcomes = [resource, audience].map(async (to) =>
        fixture.outcome({ form: { grant_type: 'client_credentials', resource: to } }),
      );
      expect(await Promise.all(outcomes)).toEqual([
        '503 temporarily_unavailable',
        `200 ${fixture.key.jkt}`,
      ]);
    });

    it('a row that the key in force cannot open: the start goes on without it, says so, the other keys sign; a rotation puts another in its place', async () => {
      const first = await tokenEndpointFixture({ store, env: { KEY_ENCRYPTION_KEY: a } });
      running.push(first.server);
      const resource = 'https://ps.example.com';
      await first.server.admin('POST', 'resource-servers', {
        audience: resource,
        scopes: ['read'],
        access_token_signing_alg: 'PS256',
      });
      await stopAll();
      const other = keyEncryption({ current: Buffer.from(b, 'base64url') }, async () => undefined);
      const jwe = await other.seal(
        '{}',
        keyEncryptionKeyId(Buffer.from(b, 'base64url')),
        'signing_key x',
      );
      await query(
        `update signing_key set private_jwe = '${jwe}' where alg = 'PS256' returning kid`,
      );
      const server = await start(a);
      const key = await testKey();
      const ask = async (to: string) => {
        const fields = { authorization: basic('app', clientSecret), dpop: await key.proof() };
        return (
          await server.post('/token', { grant_type: 'client_credentials', resource: to }, fields)
        ).status;
      };
      expect([await ask(audience), await ask(resource)]).toEqual([200, 503]);
      const errors = () =>
        server.logs.filter(
          ({ level, msg }) => level === 50 && msg === 'signing keys not refreshed',
        );
      await expect.poll(errors, { timeout: 10_000 }).toMatchObject([
        {
          err: {
            message: expect.stringMatching(/^The signing key \S+ \(PS256\) cannot be opened/),
          },
        },
      ]);
      server.clock.now += 10;
      expect(
        (await server.admin('POST', 'signing-keys/rotate', { alg: 'PS256', immediately: true }))
          .status,
      ).toBe(200);
      expect([
        await ask(audience),
        await ask(resource),
        (await server.get('/health/ready')).status,
      ]).toEqual([200, 200, 200]);
      await stopAll();
      await query("update signing_key set private_jwe = 'damaged' returning kid");
      await expect(start(a)).rejects.toThrow(/cannot be opened/);
    });

    it('a next key that is missing or malformed stops the start', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-next-'));
      const file = join(folder, 'next');
      const started = async () =>
        testServer({ store, env: { KEY_ENCRYPTION_KEY: a, KEY_ENCRYPTION_KEY_NEXT_FILE: file } });
      await expect(started()).rejects.toThrow(/cannot be read/);
      writeFileSync(file, 'short');
      await expect(started()).rejects.toThrow(/is not base64url of 32 bytes/);
      writeFileSync(file, `${b}\n`);
      const server = await started();
      running.push(server);
      expect((await change(server)).status).toBe(200);
      await rm(folder, { recursive: true });
    });
  },
);
