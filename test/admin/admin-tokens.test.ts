import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requiredScope } from '../../src/admin/required-scope.ts';
import { adminScopes } from '../../src/domain/admin-access.ts';
import { type Answer, type TestServer, testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const kinds = storeKinds.filter(({ name }) => !name.includes('Redis'));
const secret = 's'.repeat(32);

describe.each(kinds)('named admin tokens on $name', (kind) => {
  let store: TestStore;
  let server: TestServer;
  let replica: TestServer;
  beforeAll(async () => {
    store = await kind.make();
    server = await testServer({ store, env: { CLEANUP_INTERVAL: '3600' } });
    replica = await testServer({ store, clock: server.clock });
  });
  afterAll(async () => {
    await replica.stop();
    await server.stop();
    await store.remove();
  });
  const by =
    (token: string, at = () => server) =>
    async (method: string, path: string, body?: unknown): Promise<Answer> =>
      at().admin(method, path, body, { authorization: `Bearer ${token}` });
  const make = async (
    name: string,
    scopes: readonly string[],
    more: object = {},
  ): Promise<{ readonly id: string; readonly token: string }> => {
    const { status, body } = await server.admin('POST', 'admin-tokens', { name, scopes, ...more });
    expect(status).toBe(201);
    return body;
  };

  it('each may do what its scopes say, here and at every replica, and nothing else', async () => {
    const { token } = await make('reader', ['clients:read']);
    for (const at of [() => server, () => replica]) {
      expect((await by(token, at)('GET', 'clients')).status).toBe(200);
      const refused = await by(token, at)('POST', 'clients', { client_id: 'x' });
      expect([refused.status, refused.body.detail]).toEqual([
        403,
        'this needs the admin scope clients:write',
      ]);
      expect(refused.headers.get('www-authenticate')).toContain('insufficient_scope');
      expect((await by(token, at)('GET', 'nowhere')).status).toBe(404);
      expect((await by(token, at)('GET', 'openapi.json')).status).toBe(200);
    }
    expect((await by(token)('GET', '../metrics')).status).toBe(403);
    const { token: scraper } = await make('prometheus', ['metrics:read']);
    expect((await by(scraper)('GET', '../metrics')).status).toBe(200);
  });

  it('is stored by its hash alone, listed without it, with its last use', async () => {
    const { id, token } = await make('ci', ['clients:read']);
    server.clock.now += 1000;
    await by(token)('GET', 'clients');
    const listed = async () =>
      (await server.admin('GET', 'admin-tokens')).body.items.find(
        (item: { id: string }) => item.id === id,
      );
    while ((await listed()).last_used_at === undefined);
    expect((await listed()).last_used_at).toBe(server.clock.now / 1000);
    expect(await listed()).toMatchObject({ name: 'ci', created_by: 'bootstrap' });
    expect(JSON.stringify(await listed())).not.toContain(token);
    const trail = await server.admin('GET', 'audit-events?limit=200');
    expect(JSON.stringify([trail.body, server.logs])).not.toContain(token);
  });

  it('ends at its expiry, and when it is removed, at every replica', async () => {
    const end = server.clock.now / 1000 + 60;
    const { token } = await make('short', ['clients:read'], { expires_at: end });
    expect((await by(token)('GET', 'clients')).status).toBe(200);
    server.clock.now += 60_000;
    expect((await by(token)('GET', 'clients')).status).toBe(401);
    const { id, token: removed } = await make('removed', ['clients:read']);
    expect((await by(removed, () => replica)('GET', 'clients')).status).toBe(200);
    expect((await server.admin('DELETE', `admin-tokens/${id}`)).status).toBe(204);
    expect((await by(removed, () => replica)('GET', 'clients')).status).toBe(401);
    const past = { name: 'past', scopes: ['clients:read'], expires_at: end };
    expect((await server.admin('POST', 'admin-tokens', past)).body.member).toBe('expires_at');
  });

  it('is rotated without a gap: the one before counts as long as is said, and then no more', async () => {
    const { id, token } = await make('rotated', ['clients:read']);
    const rotate = async (body: object) =>
      (await server.admin('POST', `admin-tokens/${id}/rotate`, body)).body.token as string;
    const second = await rotate({ previous_expires_in: 100 });
    const works = async (...tokens: string[]) =>
      Promise.all(tokens.map(async (each) => (await by(each)('GET', 'clients')).status));
    expect(await works(token, second)).toEqual([200, 200]);
    server.clock.now += 100_000;
    expect(await works(token, second)).toEqual([401, 200]);
    const third = await rotate({ previous_expires_in: 0 });
    expect(await works(token, second, third)).toEqual([401, 401, 200]);
  });

  it('a rotation that is repeated, because its answer was lost, ends no token that is in use', async () => {
    const { id, token } = await make('retried', ['clients:read']);
    const rotate = async (body: object) => server.admin('POST', `admin-tokens/${id}/rotate`, body);
    const works = async (...tokens: string[]) =>
      Promise.all(tokens.map(async (each) => (await by(each)('GET', 'clients')).status));
    expect(await rotate({ keep_previous: true })).toMatchObject({
      status: 409,
      body: { detail: 'no previous token is still valid' },
    });
    const twice = await Promise.all([rotate({}), rotate({})]);
    expect(twice.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409]);
    const lost = twice.find(({ status }) => status === 200)?.body.token as string;
    expect((await rotate({ previous_expires_in: 60 })).body.detail).toContain('keep_previous');
    const third = (await rotate({ keep_previous: true })).body.token as string;
    expect(await works(token, lost, third)).toEqual([200, 401, 200]);
    const last = (await rotate({ previous_expires_in: 0 })).body.token as string;
    expect(await works(token, third, last)).toEqual([401, 401, 200]);
    server.clock.now += 1;
    expect((await rotate({})).status).toBe(200);
  });

  it('nobody gives scopes that it has not got: not by a new token, nor by rotating another’s', async () => {
    const { id: granterId, token: granter } = await make('granter', [
      'admin:read',
      'admin:grant',
      'clients:read',
    ]);
    const { id } = await make('auditor', ['audit:read']);
    // The first token's work is done once somebody else can make admins.
    const give = async (scopes: readonly string[], name: string) =>
      (await by(granter)('POST', 'admin-tokens', { name, scopes })).status;
    expect(await give(['clients:read'], 'given')).toBe(201);
    expect(await give(['audit:read'], 'beyond')).toBe(403);
    expect((await by(granter)('POST', `admin-tokens/${id}/rotate`, {})).status).toBe(403);
    const { body } = await by(granter)('GET', 'admin-tokens');
    expect(body.items.find((item: { name: string }) => item.name === 'given').created_by).toBe(
      `granter#${granterId}`,
    );
    for (const at of [server, replica]) expect((await at.admin('GET', 'clients')).status).toBe(401);
    const later = await testServer({ store, clock: server.clock });
    expect((await later.admin('GET', 'clients')).status).toBe(401);
    await later.stop();
    // Who can restart the server with another ADMIN_TOKEN has a first token again.
    const rescue = 'r'.repeat(40);
    const rescued = await testServer({ store, clock: server.clock, env: { ADMIN_TOKEN: rescue } });
    const answer = await rescued.admin('GET', 'admin-tokens', undefined, {
      authorization: `Bearer ${rescue}`,
    });
    expect(answer.status).toBe(200);
    await rescued.stop();
  });
});

describe('who may less, or for less long, does not grow', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(async () => server.stop());
  const end = (seconds: number) => server.clock.now / 1000 + seconds;
  const all = [...adminScopes];
  const some = ['admin:read', 'admin:grant', 'clients:read'];
  let rootToken = '';
  const as = async (token: string, method: string, path: string, body?: unknown) =>
    server.admin(method, path, body, { authorization: `Bearer ${token}` });
  const made = async (name: string, scopes: readonly string[], more: object = {}) => {
    if (rootToken === '') {
      const root = { name: 'root', scopes: all };
      rootToken = (await server.admin('POST', 'admin-tokens', root)).body.token;
    }
    const { body } = await as(rootToken, 'POST', 'admin-tokens', { name, scopes, ...more });
    return body as { readonly id: string; readonly token: string };
  };

  it.each<[string, readonly string[], number]>([
    ['a token that may more', all, 403],
    ['a token that may as much', some, 204],
  ])('%s is removed: %j %i', async (name, scopes, expected) => {
    const { id } = await made(`victim-${expected}`, scopes);
    const { token } = await made(`remover-${expected}`, some);
    expect([name, (await as(token, 'DELETE', `admin-tokens/${id}`)).status]).toEqual([
      name,
      expected,
    ]);
  });

  it.each<[string, number | undefined, number]>([
    ['without an end', undefined, 403],
    ['with a later end', 61, 403],
    ['with the same end', 60, 201],
  ])('an admin whose token ends makes another one %s', async (name, seconds, expected) => {
    const label = name.replaceAll(' ', '-');
    const { token } = await made(`short-${label}`, some, { expires_at: end(60) });
    const body = { name: `made-${label}`, scopes: ['clients:read'] };
    const more = seconds === undefined ? {} : { expires_at: end(seconds) };
    const answer = await as(token, 'POST', 'admin-tokens', { ...body, ...more });
    expect([answer.status, answer.body.member]).toEqual([
      expected,
      expected === 403 ? 'expires_at' : undefined,
    ]);
  });

  it.each<[string, number | undefined, number | undefined, number]>([
    ['its own, later', 60, 61, 403],
    ['its own, with the end it has', 60, undefined, 200],
    ['one without an end', undefined, undefined, 403],
    ['one without an end, which then has one', undefined, 60, 200],
    ['one that ends later', 3600, undefined, 403],
    ['one that ends later, sooner', 3600, 30, 200],
  ])('an admin whose token ends rotates %s', async (name, before, after, expected) => {
    const label = name.replaceAll(/[ ,]+/g, '-');
    const { token } = await made(`rotator-${label}`, some, { expires_at: end(60) });
    const more = before === undefined ? {} : { expires_at: end(before) };
    const { id } = await made(`rotated-${label}`, some, more);
    const body = after === undefined ? {} : { expires_at: end(after) };
    const answer = await as(token, 'POST', `admin-tokens/${id}/rotate`, body);
    expect(answer.status).toBe(expected);
    const endsInTime = expected !== 200 || answer.body.expires_at <= end(60);
    expect(endsInTime).toBe(true);
  });

  it('an admin whose token ends makes no client an admin: a client has no end', async () => {
    const scopes = ['admin:grant', 'clients:read', 'clients:write'];
    const { token } = await made('short-maker', scopes, { expires_at: end(60) });
    const admin = { resources: ['urn:holdfast:admin'], admin_scopes: ['clients:read'] };
    const client = { client_secret: secret, ...admin };
    const path = 'clients';
    const body = { client_id: 'forever', ...client };
    expect((await as(token, 'POST', path, body)).status).toBe(403);
    expect((await as(rootToken, 'POST', path, { client_id: 'there', ...client })).status).toBe(201);
    expect((await as(token, 'POST', 'clients/there/secrets', {})).status).toBe(403);
    expect((await as(token, 'DELETE', 'clients/there')).status).toBe(204);
  });

  it('two admins of one name, one after the other, are two in the audit trail', async () => {
    const actors: string[] = [];
    for (const _ of [1, 2]) {
      const { id, token } = await made('namesake', [...some, 'clients:write']);
      await as(token, 'POST', 'clients', { client_id: `by-${id}`, client_secret: secret });
      const trail = await as(rootToken, 'GET', 'audit-events?type=client_created&limit=200');
      const event = trail.body.items.find(
        ({ client_id }: { client_id?: string }) => client_id === `by-${id}`,
      );
      expect(event.actor).toBe(`admin:namesake#${id}`);
      actors.push(event.actor);
      expect((await as(rootToken, 'DELETE', `admin-tokens/${id}`)).status).toBe(204);
    }
    expect(new Set(actors).size).toBe(2);
  });
});

describe('the audit trail names the admin', () => {
  it('of every change, also of many at the same time', async () => {
    const server = await testServer();
    const names = Array.from({ length: 12 }, (_, index) => `admin-${index}`);
    const scopes = adminScopes.filter((scope) => scope !== 'admin:grant');
    const tokens = await Promise.all(
      names.map(async (name) => {
        const { body } = await server.admin('POST', 'admin-tokens', { name, scopes });
        return { name, id: body.id as string, authorization: `Bearer ${body.token}` };
      }),
    );
    await Promise.all(
      tokens.map(async ({ name, authorization }) => {
        const headers = { authorization };
        const client = { client_id: name, client_secret: secret };
        await server.admin('POST', 'clients', client, headers);
        await server.admin('PATCH', `clients/${name}`, { client_name: name }, headers);
        await server.admin('POST', `clients/${name}/secrets`, {}, headers);
        await server.admin('POST', 'signing-keys/rotate', { alg: 'ES256' }, headers);
        await server.admin('POST', 'dpop-nonce-secrets/rotate', {}, headers);
      }),
    );
    const { body } = await server.admin('GET', 'audit-events?limit=200');
    const events = body.items as {
      type: string;
      actor: string;
      client_id?: string;
      jti?: string;
    }[];
    expect(events.filter(({ actor }) => actor === 'admin')).toEqual([]);
    const ofClients = events.filter(({ type }) => type.startsWith('client_'));
    expect(ofClients.length).toBe(36);
    const ids = new Map(tokens.map(({ name, id }) => [name, id]));
    for (const { actor, client_id = '' } of ofClients)
      expect(actor).toBe(`admin:${client_id}#${ids.get(client_id)}`);
    expect(events.find(({ type }) => type === 'admin_token_created')?.actor).toBe(
      'admin:bootstrap',
    );
    await server.stop();
  });
});

describe('who is no admin', () => {
  it('is told to wait after a hundred requests a minute, and keeps no admin waiting', async () => {
    const server = await testServer();
    const guess = async (token: string) =>
      server.admin('GET', 'clients', undefined, { authorization: `Bearer ${token}` });
    expect((await server.admin('GET', 'clients')).status).toBe(200);
    const statuses: number[] = [];
    for (let count = 0; count < 105; count++) statuses.push((await guess(`guess-${count}`)).status);
    expect(statuses.slice(0, 100).every((status) => status === 401)).toBe(true);
    expect(statuses.slice(100).every((status) => status === 429)).toBe(true);
    expect(Number((await guess('x')).headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await server.admin('GET', 'clients')).status).toBe(200);
    await server.stop();
  });

  it.each(kinds)(
    'keeps no admin waiting whose token this process never saw, nor the first, on $name',
    async ({ make }) => {
      const store = await make();
      const other = await testServer({ store });
      const made = async (name: string) => {
        const body = { name, scopes: ['clients:read'] };
        return (await other.admin('POST', 'admin-tokens', body)).body;
      };
      const [{ token }, { id, token: second }] = [await made('reader'), await made('rotated')];
      const rotated = (await other.admin('POST', `admin-tokens/${id}/rotate`, {})).body.token;
      const server = await testServer({ store, clock: other.clock });
      const statusBy = async (given: string) =>
        (await server.admin('GET', 'clients', undefined, { authorization: `Bearer ${given}` }))
          .status;
      const stranger = `hfadm_${'x'.repeat(43)}`;
      let last = 0;
      for (let count = 0; count < 105; count++) last = await statusBy(stranger);
      expect(last).toBe(429);
      for (const each of [token, second, rotated]) expect(await statusBy(each)).toBe(200);
      expect((await server.admin('GET', 'clients')).status).toBe(200);
      expect(await statusBy(stranger)).toBe(429);
      await server.stop();
      await other.stop();
      await store.remove();
    },
  );

  it('a path of which nobody said what it needs is not mounted', () => {
    expect(() => requiredScope('GET', '/admin/something-new')).toThrow(
      'is in no area of required-scope.ts',
    );
  });
});
