import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestServer, testServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

describe.each(storeKinds)('/admin/pairings on $name', (kind) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer({ kind });
    for (const client_id of ['app', 'backend', 'printer'])
      await server.admin('POST', 'clients', { client_id, alt_cnf_holders: ['backend'] });
  });
  afterAll(async () => server.stop());
  const create = (body: object) =>
    server.admin('POST', 'pairings', { requester: 'app', holder: 'backend', ...body });

  it('is created, read, listed, revoked, and can be made again after that', async () => {
    const limits = { scope: 'read', resources: ['https://api.example.com'] };
    const made = await create({ mode: 'registered_key', first_party: true, ...limits });
    expect([made.status, made.body]).toMatchObject([
      201,
      { mode: 'registered_key', first_party: true, revoked: false, ...limits },
    ]);
    const path = `pairings/${made.body.id}`;
    expect((await server.admin('GET', path)).body).toEqual(made.body);
    expect((await create({ mode: 'proof', first_party: false })).status).toBe(409);
    await create({ holder: 'printer' });
    const first = await server.admin('GET', 'pairings?requester=app&limit=1');
    const second = await server.admin(
      'GET',
      `pairings?requester=app&limit=1&cursor=${first.body.next_cursor}`,
    );
    expect(
      new Set([...first.body.items, ...second.body.items].map(({ holder }) => holder)),
    ).toEqual(new Set(['backend', 'printer']));
    expect(second.body.next_cursor).toBeNull();

    expect((await server.admin('DELETE', path)).status).toBe(204);
    expect((await server.admin('GET', path)).body).toMatchObject({
      revoked: true,
      revoked_at: expect.any(Number),
    });
    const again = await create({});
    expect([again.status, again.body]).toMatchObject([
      201,
      { mode: 'proof', first_party: false, revoked: false },
    ]);
    expect(again.body.scope).toBeUndefined();
    expect((await server.admin('POST', `pairings/${again.body.id}/revoke`)).body).toMatchObject({
      revoked: true,
    });
  });

  it.each([
    ['a client with itself', { holder: 'app' }, 400],
    ['an unknown requester', { requester: 'nobody' }, 400],
    ['an unknown holder', { holder: 'nobody' }, 400],
    ['an unknown mode', { mode: 'word_of_honour' }, 400],
    ['an unknown member', { firstParty: true }, 400],
    ['a first_party that is not a boolean', { first_party: 'yes' }, 400],
    ['an empty list of resources', { resources: [] }, 400],
  ])('refuses %s', async (_, body, status) => {
    expect((await create(body)).status).toBe(status);
  });

  it('answers 404 for an unknown pairing', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/revoke'],
    ] as const)
      expect((await server.admin(method, `pairings/none${path}`)).status).toBe(404);
  });
});
