import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { decodeProtectedHeader } from 'jose';
import SqliteDatabase from 'libsql';
import { expect, it } from 'vitest';
import { databaseFile } from '../../src/config/database-url.ts';
import { testServer } from '../support/server.ts';
import { onSqlite } from '../support/stores.ts';
import {
  audience,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

async function signedBy(
  fixture: TokenEndpointFixture,
  ...request: Parameters<TokenEndpointFixture['send']>
): Promise<unknown> {
  const { status, body } = await fixture.send(...request);
  return status === 200
    ? decodeProtectedHeader((JSON.parse(body) as { access_token: string }).access_token).kid
    : status;
}

it('a successor that is revoked does not keep the others from rotating, nor from being revoked', async () => {
  const fixture = await tokenEndpointFixture();
  const rotate = async (immediately: boolean) =>
    (await fixture.server.admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately })).body
      .kid as string;
  const revoke = async (kid: unknown) =>
    (await fixture.server.admin('POST', `signing-keys/${String(kid)}/revoke`)).status;
  const first = await signedBy(fixture);
  const leaked = await rotate(false);
  expect(await revoke(leaked)).toBe(204);
  expect(await signedBy(fixture)).toBe(first);
  fixture.server.clock.now += 1000;
  const second = await rotate(true);
  expect([first, leaked]).not.toContain(second);
  expect(await signedBy(fixture)).toBe(second);
  expect([await revoke(second), await revoke(first)]).toEqual([204, 204]);
  expect([first, leaked, second, 500, 503]).not.toContain(await signedBy(fixture));
  await fixture.server.stop();
});

it('a key that was revoked after it had taken over leaves the one before it retired: a new one signs', async () => {
  const fixture = await tokenEndpointFixture();
  const states = async () =>
    (
      (await fixture.server.admin('GET', 'signing-keys')).body.items as {
        alg: string;
        state: string;
      }[]
    ).map(({ state }) => state);
  fixture.server.clock.now += 1000;
  await fixture.server.admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately: true });
  const leaked = await signedBy(fixture);
  expect(await states()).toEqual(['retired', 'active']);
  fixture.server.clock.now += 1000;
  expect((await fixture.server.admin('POST', `signing-keys/${String(leaked)}/revoke`)).status).toBe(
    204,
  );
  expect(await states()).toEqual(['retired', 'revoked', 'active']);
  // An announced successor need not be made anew: it signs at once.
  const announced = (await fixture.server.admin('POST', 'signing-keys/rotate', { alg: 'ES256' }))
    .body.kid as string;
  fixture.server.clock.now += 1000;
  expect(
    (await fixture.server.admin('POST', `signing-keys/${String(await signedBy(fixture))}/revoke`))
      .status,
  ).toBe(204);
  expect(await states()).toEqual(['retired', 'revoked', 'revoked', 'active']);
  expect(await signedBy(fixture)).toBe(announced);
  await fixture.server.stop();
});

it('a process that died between the revocation of the only key and its successor leaves no server without a key', {
  timeout: 90_000,
}, async () => {
  const store = await onSqlite.make();
  const fixture = await tokenEndpointFixture({ store });
  const revokeAllByHand = async () => {
    const connection = await new PrismaLibSql({ url: store.env['DATABASE_URL'] ?? '' }).connect();
    await connection.executeScript(
      'update signing_key set revoked_at = 1 where revoked_at is null',
    );
    await connection.dispose();
  };
  const first = await signedBy(fixture);
  await revokeAllByHand();
  // This one has seen that there is none; the round that makes the next one comes within a second.
  await fixture.server.admin('GET', 'signing-keys');
  const limit = performance.now() + 10_000;
  let second = await signedBy(fixture);
  for (
    ;
    (second === first || second === 503) && performance.now() < limit;
    second = await signedBy(fixture)
  )
    await sleep(100);
  expect([typeof second, second === first]).toEqual(['string', false]);
  await fixture.server.stop();
  await revokeAllByHand();
  const restarted = await testServer({ store });
  const { keys } = (await restarted.get('/jwks')).body as {
    keys: readonly { kid: string; alg: string }[];
  };
  expect(keys.filter(({ alg }) => alg === 'ES256').length).toBe(1);
  expect([first, second]).not.toContain(keys[0]?.kid);
  await restarted.stop();
  await store.remove();
});

it('keys of two algorithms, revoked at the same time: each has its successor at once', async () => {
  const store = await onSqlite.make();
  const fixture = await tokenEndpointFixture({ store });
  const resource = 'https://eddsa.example.com';
  await fixture.server.admin('POST', 'resource-servers', {
    audience: resource,
    access_token_signing_alg: 'EdDSA',
  });
  const grant_type = 'client_credentials';
  const signing = async () => [
    await signedBy(fixture, { form: { grant_type, resource: audience } }),
    await signedBy(fixture, { form: { grant_type, resource } }),
  ];
  for (let round = 0; round < 5; round++) {
    const compromised = await signing();
    fixture.server.clock.now += 1000;
    const revoked = await Promise.all(
      compromised.map(async (kid) =>
        fixture.server.admin('POST', `signing-keys/${String(kid)}/revoke`),
      ),
    );
    expect(revoked.map(({ status }) => status)).toEqual([204, 204]);
    const successors = await signing();
    expect(successors).toEqual([expect.any(String), expect.any(String)]);
    for (const kid of compromised) expect(successors).not.toContain(kid);
  }
  // Each algorithm has a succession of its own.
  const database = new SqliteDatabase(databaseFile(store.env['DATABASE_URL'] ?? ''));
  const strangers = database
    .prepare(
      'select count(*) as count from signing_key k join signing_key p on p.kid = k.first_for where p.alg <> k.alg',
    )
    .get();
  database.close();
  expect(strangers).toMatchObject({ count: 0 });
  await fixture.server.stop();
  await store.remove();
});

it('PS256, whose keys take long to make: no token request is refused while the key is revoked', async () => {
  const fixture = await tokenEndpointFixture();
  const resource = 'https://ps256.example.com';
  await fixture.server.admin('POST', 'resource-servers', {
    audience: resource,
    access_token_signing_alg: 'PS256',
  });
  const signing = async () =>
    signedBy(fixture, { form: { grant_type: 'client_credentials', resource } });
  const compromised = await signing();
  fixture.server.clock.now += 1000;
  const revoked = fixture.server.admin('POST', `signing-keys/${String(compromised)}/revoke`);
  let isOver = false;
  void revoked.finally(() => (isOver = true));
  const meanwhile: unknown[] = [];
  while (!isOver) meanwhile.push(await signing());
  expect((await revoked).status).toBe(204);
  expect(meanwhile.filter((kid) => typeof kid !== 'string')).toEqual([]);
  expect([compromised, 503]).not.toContain(await signing());
  await fixture.server.stop();
});
