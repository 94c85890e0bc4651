import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openReplicas, type Replicas } from '../support/replicas.ts';
import { basic, type TestServer, testServer } from '../support/server.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import {
  assertionForm,
  clientSecret,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const form = { grant_type: 'client_credentials' };

describe.each(storeKinds.filter(({ name }) => name.startsWith('SQLite')))(
  'RATE_LIMIT_PER_CLIENT ($name)',
  (kind) => {
    let fixture: TokenEndpointFixture;
    let replica: TestServer;
    let close: Replicas['close'];
    beforeAll(async () => {
      const env = { RATE_LIMIT_PER_CLIENT: '4' };
      ({ fixture, replica, close } = await openReplicas(kind, { env }));
      for (const client_id of ['other', 'shared'])
        await fixture.server.admin('POST', 'clients', { client_id, client_secret: clientSecret });
    });
    afterAll(async () => close());
    const ask = async (client: string, secret = clientSecret, server = fixture.server) =>
      server.post('/token', form, {
        authorization: basic(client, secret),
        dpop: await fixture.key.proof({ iat: seconds }),
      });

    it('strangers who send the name of a client take nothing from it; what it sends itself counts, at every endpoint', async () => {
      for (let times = 0; times < 10; times++)
        expect((await ask('app', 'wrong'.repeat(8))).status).toBe(401);
      const authorization = basic('app', clientSecret);
      expect(
        (await fixture.server.post('/introspect', { token: 'x' }, { authorization })).status,
      ).toBe(200);
      expect((await fixture.server.post('/revoke', { token: 'x' }, { authorization })).status).toBe(
        200,
      );
      expect([(await ask('app')).status, (await ask('app')).status]).toEqual([200, 200]);
      for (const path of ['/token', '/introspect', '/revoke']) {
        const { status, headers, body } = await fixture.server.post(
          path,
          { ...form, token: 'x' },
          { authorization, dpop: await fixture.key.proof() },
        );
        expect([status, body.error, headers.get('cache-control')]).toEqual([
          429,
          'temporarily_unavailable',
          'no-store',
        ]);
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
        expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);
      }
      expect((await ask('other')).status).toBe(200);
    });

    it('a client assertion that was used before takes nothing from its client, however often it is shown', async () => {
      const assertion = await fixture.key.assertion('signer', {}, { kid: 'registered' });
      const show = async (text: string) =>
        fixture.server.post('/token', assertionForm(text), { dpop: await fixture.key.proof() });
      expect((await show(assertion)).status).toBe(200);
      for (let times = 0; times < 10; times++)
        expect(await show(assertion)).toMatchObject({
          status: 401,
          body: { error: 'invalid_client' },
        });
      const statuses = [];
      for (let times = 0; times < 4; times++)
        statuses.push(
          (await show(await fixture.key.assertion('signer', {}, { kid: 'registered' }))).status,
        );
      expect(statuses).toEqual([200, 200, 200, 429]);
    });

    it('a refused request uses its proof not up, and documents are not limited', async () => {
      const dpop = await fixture.key.proof();
      expect(
        (
          await fixture.server.post('/token', form, {
            authorization: basic('app', clientSecret),
            dpop,
          })
        ).status,
      ).toBe(429);
      expect(
        (
          await fixture.server.post('/token', form, {
            authorization: basic('other', clientSecret),
            dpop,
          })
        ).status,
      ).toBe(200);
      for (let times = 0; times < 6; times++)
        for (const path of ['/jwks', '/.well-known/oauth-authorization-server', '/health/ready'])
          expect((await fixture.server.get(path)).status).toBe(200);
    });

    it('replicas count together where they share a Redis, else each by itself', async () => {
      const statuses = [];
      for (let times = 0; times < 5; times++)
        statuses.push(
          (await ask('shared')).status,
          (await ask('shared', clientSecret, replica)).status,
        );
      expect(statuses.filter((status) => status === 200).length).toBe(
        kind.name === 'SQLite' ? 8 : 4,
      );
    });
  },
);

describe('RATE_LIMIT_PER_ADDRESS behind TRUSTED_PROXIES', () => {
  let proxied: TestServer;
  let direct: TestServer;
  beforeAll(async () => {
    proxied = await testServer({
      env: { RATE_LIMIT_PER_ADDRESS: '1', TRUSTED_PROXIES: '127.0.0.0/8 10.0.0.0/8' },
    });
    direct = await testServer({ env: { RATE_LIMIT_PER_ADDRESS: '2' } });
  });
  afterAll(async () => {
    await direct.stop();
    await proxied.stop();
  });
  /** Whether two requests with these fields count as from one address. */
  const asOne = async (first: Record<string, string>, second: Record<string, string>) => {
    const answers = [
      await proxied.post('/token', form, first),
      await proxied.post('/token', form, second),
    ];
    return answers.map(({ status }) => status).join();
  };
  it.each<[string, Record<string, string>, Record<string, string>, string]>([
    [
      'two clients of one proxy',
      { 'x-forwarded-for': '192.0.2.1' },
      { 'x-forwarded-for': '192.0.2.2' },
      '401,401',
    ],
    [
      'what the client itself wrote in front',
      { 'x-forwarded-for': '1.1.1.1, 192.0.2.3' },
      { 'x-forwarded-for': '2.2.2.2, 192.0.2.3' },
      '401,429',
    ],
    [
      'a further trusted proxy',
      { 'x-forwarded-for': '192.0.2.4, 10.1.1.1' },
      { 'x-forwarded-for': '3.3.3.3, 192.0.2.4, 10.2.2.2' },
      '401,429',
    ],
    [
      'the port',
      { 'x-forwarded-for': '192.0.2.5:1111' },
      { 'x-forwarded-for': '192.0.2.5:2222' },
      '401,429',
    ],
    [
      'the same /64',
      { 'x-forwarded-for': '2001:db8::1' },
      { 'x-forwarded-for': '2001:db8::ffff:1:2:3' },
      '401,429',
    ],
    [
      'another /64',
      { 'x-forwarded-for': '2001:db8:0:1::1' },
      { 'x-forwarded-for': '2001:db8:0:2::1' },
      '401,401',
    ],
    [
      'IPv4 in IPv6 form',
      { 'x-forwarded-for': '::ffff:192.0.2.6' },
      { 'x-forwarded-for': '192.0.2.6' },
      '401,429',
    ],
    [
      'RFC 7239 Forwarded',
      { forwarded: 'for=192.0.2.7;proto=https' },
      { forwarded: 'for=9.9.9.9, for="192.0.2.7:47011"' },
      '401,429',
    ],
    [
      'RFC 7239 with IPv6',
      { forwarded: 'proto=https;for="[2001:db8:7::1]:4711"' },
      { forwarded: 'for="[2001:db8:7::2]"' },
      '401,429',
    ],
    [
      'one of the two fields that the proxy lets through: they are the proxy',
      { forwarded: 'for=6.6.6.6', 'x-forwarded-for': '192.0.2.8' },
      { forwarded: 'for=7.7.7.7', 'x-forwarded-for': '192.0.2.9' },
      '401,429',
    ],
    [
      'nobody: it is the proxy, which has sent one already',
      {},
      { 'x-forwarded-for': 'unknown' },
      '429,429',
    ],
  ])('counts as one: %s', async (_what, first, second, expected) => {
    expect(await asOne(first, second)).toBe(expected);
  });

  it('a stranger is believed nothing, and unknown paths and other methods count too', async () => {
    const statuses = [
      await direct.post('/token', form, { 'x-forwarded-for': '192.0.2.1' }),
      await direct.get('/nothing', { forwarded: 'for=192.0.2.2' }),
      await direct.get('/clients/x/jwks', { 'x-forwarded-for': '192.0.2.3' }),
      await direct.get('/jwks'),
    ].map(({ status }) => status);
    expect(statuses).toEqual([401, 404, 429, 200]);
  });
});

describe.runIf(process.env['TEST_REDIS_URL'] !== undefined)('counters that are away', () => {
  it('limit nothing; what must not happen twice is refused', async () => {
    const store = await onSqlite.make();
    const line = await tcpProxy(Number(new URL(process.env['TEST_REDIS_URL'] ?? '').port || 6379));
    const env = { ...store.env, REDIS_URL: `redis://127.0.0.1:${line.port}` };
    const fixture = await tokenEndpointFixture({
      store: { ...store, env },
      env: { RATE_LIMIT_PER_CLIENT: '1', RATE_LIMIT_PER_ADDRESS: '2' },
    });
    // The connection of the counters may come up a moment after the start; nothing is limited until then.
    let limited = false;
    for (let tries = 0; tries < 100 && !limited; tries++) {
      limited = (await fixture.send()).status === 429;
      if (!limited) await sleep(20);
    }
    expect(limited).toBe(true);
    await line.set('refused');
    const authorization = basic('app', clientSecret);
    const statuses = [];
    for (let times = 0; times < 4; times++)
      statuses.push(
        (await fixture.server.post('/introspect', { token: 'x' }, { authorization })).status,
      );
    expect(statuses).toEqual([200, 200, 200, 200]);
    expect((await fixture.send()).status).toBe(503);
    await fixture.server.stop();
    await line.close();
    await store.remove();
  });
});
