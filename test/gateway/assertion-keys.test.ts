import type { JSONWebKeySet } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';

const gateway = { GATEWAY_PORT: '0', JWKS_MAX_AGE: '60' };

describe('the keys by which assertions of gateways are signed', () => {
  let store: TestStore;
  let servers: TestServer[];
  beforeEach(async () => {
    store = await onSqlite.make();
    servers = [];
  });
  afterEach(async () => {
    for (const server of servers) await server.stop();
    await store.remove();
  });
  const start = async (env: Readonly<Record<string, string>>) => {
    const server = await testServer({ store, env });
    servers.push(server);
    return server;
  };
  const kids = async (server: TestServer, path: string) =>
    ((await server.get(path)).body as JSONWebKeySet).keys.map(({ kid }) => kid);
  const own = async (server: TestServer) => kids(server, '/gateway/jwks');

  it('are made by a server with a gateway listener, and published apart from those of tokens, by every replica', async () => {
    const without = await start({});
    expect(await own(without)).toEqual([]);
    const server = await start(gateway);
    const [kid, ...more] = await own(server);
    expect([typeof kid, more]).toEqual(['string', []]);
    expect(await kids(server, '/jwks')).not.toContain(kid);
    await expect.poll(async () => own(without)).toEqual([kid]);
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
    ])
      expect(JSON.stringify((await server.get(path)).body)).not.toContain('gateway');
    const { headers } = await server.get('/gateway/jwks');
    expect(headers.get('cache-control')).toBe('public, max-age=60');
  });

  it('rotate by themselves: a successor is published first, and a retired key stays for the life of its last assertion', async () => {
    const server = await start(gateway);
    const [first] = await own(server);
    const rotated = await server.admin('POST', 'signing-keys/rotate', {
      alg: 'ES256',
      purpose: 'gateway',
    });
    expect(rotated).toMatchObject({
      status: 200,
      body: { state: 'announced', purpose: 'gateway' },
    });
    const second = rotated.body.kid as string;
    expect(await own(server)).toEqual([first, second]);
    expect(await kids(server, '/jwks')).toHaveLength(1);
    const states = async () =>
      (await server.admin('GET', 'signing-keys')).body.items
        .filter(({ purpose }: { purpose: string }) => purpose === 'gateway')
        .map(({ state }: { state: string }) => state);
    // JWKS_MAX_AGE + CLOCK_TOLERANCE until the successor signs, then 30 s + CLOCK_TOLERANCE.
    server.clock.now += 91_000;
    expect(await states()).toEqual(['retired', 'active']);
    server.clock.now += 58_000;
    expect(await states()).toEqual(['retired', 'active']);
    server.clock.now += 2000;
    expect(await states()).toEqual(['removed', 'active']);
    const { body } = await server.admin('GET', 'audit-events?type=signing_key_announced');
    const details = body.items.map(({ detail }: { detail: object }) => detail);
    expect(details).toContainEqual(expect.objectContaining({ kid: second, purpose: 'gateway' }));
  });

  it('are revoked like every other key, and no key of tokens takes their place', async () => {
    const server = await start(gateway);
    const [first] = await own(server);
    expect((await server.admin('POST', `signing-keys/${first}/revoke`)).status).toBe(204);
    const [second, ...more] = await own(server);
    expect([second === first, more]).toEqual([false, []]);
    expect(await kids(server, '/jwks')).toHaveLength(1);
  });

  it('never count as keys of tokens, whoever writes to the database', async () => {
    const server = await start(gateway);
    const [kid] = await own(server);
    await execute(
      store,
      "update signing_key set purpose = 'issuer' where purpose = 'gateway' returning kid",
    );
    await expect.poll(async () => own(server), { timeout: 10_000 }).toEqual([]);
    expect(await kids(server, '/jwks')).not.toContain(kid);
  });

  it('are sealed anew with all others when the key-encryption key changes', async () => {
    const [a, b] = ['A'.repeat(43), 'B'.repeat(42).concat('A')];
    const server = await start({
      ...gateway,
      KEY_ENCRYPTION_KEY: a,
      KEY_ENCRYPTION_KEY_NEXT: b,
    });
    const before = await own(server);
    expect(await server.admin('POST', 'key-encryption-key/rotate')).toMatchObject({
      status: 200,
      body: { signing_keys: 2 },
    });
    await servers.pop()?.stop();
    expect(await own(await start({ ...gateway, KEY_ENCRYPTION_KEY: b }))).toEqual(before);
  });
});
