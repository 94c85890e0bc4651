import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/server.ts';
import {
  type Sender,
  type SlowAdmins,
  slowAdmins,
  slowly,
  stopping,
} from '../support/slow-admins.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

let at: SlowAdmins;
let number = 0;
beforeAll(async () => {
  at = await slowAdmins();
});
afterAll(async () => at.fixture.server.stop());

/** Slowly makes an admin token that may read clients. */
async function makesAdmin(by: Sender, meanwhile: () => unknown) {
  const name = `made-${++number}`;
  const end = at.fixture.server.clock.now / 1000 + 3600;
  const parts = stopping({ name, scopes: ['clients:read'], expires_at: end }, 5);
  const answer = await slowly(at, by, '/admin/admin-tokens', parts, meanwhile);
  const { items } = (await at.root('GET', 'admin-tokens?limit=200')).body;
  return { ...answer, made: items.filter((item: { name: string }) => item.name === name).length };
}

type Row = readonly [what: string, change: (by: Sender) => Promise<Answer>, outcome: string];
const noAdmin = '401 the admin token is missing or not accepted';
const patched = (members: object) => async (by: Sender) =>
  at.root('PATCH', `clients/${by.id}`, members);
const removed = async (by: Sender) => at.root('DELETE', `admin-tokens/${by.id}`);

/** Makes a change that must succeed. */
async function done(change: Promise<Answer>): Promise<void> {
  expect((await change).status).toBeLessThan(300);
}

describe('an admin token that ends while a request is being sent', () => {
  it.each<Row>([
    ['deleted', removed, noAdmin],
    [
      'rotated without overlap',
      async ({ id }) => at.root('POST', `admin-tokens/${id}/rotate`, { previous_expires_in: 0 }),
      noAdmin,
    ],
  ])('%s: it makes no admin', async (_what, change, outcome) => {
    const by = await at.named();
    const answer = await makesAdmin(by, async () => done(change(by)));
    expect([answer.outcome, answer.made]).toEqual([outcome, 0]);
  });

  it('expired: it makes no client', async () => {
    const by = await at.named({ expires_at: at.fixture.server.clock.now / 1000 + 60 });
    const parts = stopping({ client_id: 'late', client_secret: clientSecret }, 5);
    const { outcome } = await slowly(at, by, '/admin/clients', parts, () => {
      at.fixture.server.clock.now += 60_000;
    });
    expect([outcome, (await at.root('GET', 'clients/late')).status]).toEqual([noAdmin, 404]);
  });

  it('deleted before the end of an empty body in chunks: it rotates nothing', async () => {
    const by = await at.named();
    const parts = ['Transfer-Encoding: chunked', '', '0\r\n\r\n'] as const;
    const path = '/admin/dpop-nonce-secrets/rotate';
    expect((await slowly(at, by, path, parts, async () => done(removed(by)))).outcome).toBe(
      noAdmin,
    );
  });
});

describe('a bound admin that ends while its request is being sent', () => {
  it.each<Row>([
    ['deleted', async ({ id }) => at.root('DELETE', `clients/${id}`), noAdmin],
    ['disabled', patched({ disabled: true }), noAdmin],
    [
      'with its token revoked',
      async ({ token }) => at.root('DELETE', `tokens/${decodeJwt(token).jti}`),
      noAdmin,
    ],
    [
      'without admin_scopes',
      patched({ admin_scopes: null }),
      '403 this needs the admin scope admin:grant',
    ],
    [
      'without the scope that it grants',
      patched({ admin_scopes: ['admin:grant'] }),
      '403 only an admin with the scope clients:read can give or take it',
    ],
  ])('%s: it makes no admin', async (_what, change, outcome) => {
    const by = await at.bound();
    const answer = await makesAdmin(by, async () => done(change(by)));
    expect([answer.outcome, answer.made]).toEqual([outcome, 0]);
    expect(answer.head).toMatch(/^HTTP\/1.1 403|DPoP error="invalid_token"/);
  });
});

describe('an admin that ends while its large configuration is planned', () => {
  const clients = Array.from({ length: 3000 }, (_, index) => ({
    client_id: `planned-${index}`,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri: `https://client-${index}.example.com/jwks`,
  }));

  it.each<readonly [string, () => Promise<Sender>, Row[1], string]>([
    ['deleted', async () => at.named(), removed, noAdmin],
    [
      'without a scope that the plan may have needed',
      async () => at.bound(),
      patched({ admin_scopes: ['clients:read', 'configuration:write'] }),
      '403 this admin lost the scope clients:write in the meantime; nothing was changed',
    ],
  ])('%s: it applies nothing', async (_what, make, change, expected) => {
    const by = await make();
    const parts = stopping({ clients }, Infinity);
    const { outcome } = await slowly(at, by, '/admin/configuration', parts, async () => {
      await sleep(100);
      await done(change(by));
    });
    expect([outcome, (await at.root('GET', 'clients/planned-0')).status]).toEqual([expected, 404]);
  });
});

describe('an admin who stays', () => {
  it.each<[string, () => Promise<Sender>]>([
    ['named', async () => at.named()],
    ['bound', async () => at.bound()],
  ])('%s: its slow request succeeds once, with the proof of its head', async (_what, make) => {
    const by = await make();
    const answer = await makesAdmin(by, () => {
      // By now the proof and its nonce are too old.
      at.fixture.server.clock.now += 290_000;
    });
    expect([answer.outcome, answer.made]).toEqual(['201', 1]);
  });
});
