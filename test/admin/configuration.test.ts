import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchFolder } from '../support/scratch.ts';
import { type Answer, basic, type TestServer, testServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

const audience = 'https://api.example.com';
type Named = { readonly issuer: string };
const [secret, other] = ['s'.repeat(40), 't'.repeat(40)];
/** A client that needs no secret. */
const declaredKey = {
  token_endpoint_auth_method: 'private_key_jwt',
  jwks_uri: 'https://client.example.com/jwks',
};
const declared = {
  resource_servers: [{ audience, scopes: ['read', 'write'] }],
  clients: [
    {
      client_id: 'orders',
      client_secret: secret,
      scope: 'read',
      resources: [audience],
      alt_cnf_holders: ['worker'],
    },
    { client_id: 'worker', client_secret: other, alt_cnf_requesters: ['orders'] },
  ],
  trusted_issuers: [
    {
      issuer: 'https://platform.example.com',
      purposes: ['workload'],
      rules: [
        { name: 'orders', claims: { sub: 'orders' }, client_id: 'orders' },
        { claims: { sub: 'a', '/b/c': 1 }, subject: 'p:{sub}', resources: [audience] },
      ],
    },
  ],
  authorization_servers: [
    {
      issuer: 'https://auth.partner.example',
      clients: [{ client_id: 'orders', remote_client_id: 'orders-over-there' }],
      scope: 'chat.read',
    },
  ],
  pairings: [{ requester: 'orders', holder: 'worker' }],
};

describe('a dry run', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server.stop());
  const tokenFor = async (scopes: readonly string[]) => {
    const body = { name: scopes.join('-').replaceAll(':', '-'), scopes };
    return (await server.admin('POST', 'admin-tokens', body)).body.token as string;
  };
  const asked = async (token: string, clients: readonly object[], query: string) =>
    server.admin(
      'POST',
      `configuration${query}`,
      { clients },
      { authorization: `Bearer ${token}` },
    );
  const admin = {
    ...declaredKey,
    client_id: 'operator',
    resources: ['urn:holdfast:admin'],
    admin_scopes: ['clients:read'],
  };
  const plain = { ...declaredKey, client_id: 'plain' };

  it('needs the scope to read, and no other request is one', async () => {
    const token = await tokenFor(['configuration:read']);
    expect((await asked(token, [plain, admin], '?dry_run=true')).body.changes).toHaveLength(2);
    for (const query of ['', '?dry_run=false', '?dry_run=false&dry_run=true', '?DRY_RUN=true'])
      expect([query, (await asked(token, [plain], query)).status]).toEqual([query, 403]);
    const nobody = await tokenFor(['clients:write']);
    expect((await asked(nobody, [plain], '?dry_run=true')).status).toBe(403);
    expect((await server.admin('GET', 'clients')).body.items).toEqual([]);
  });

  it('refuses what the change would refuse: an admin client, by who may not make it', async () => {
    const token = await tokenFor(['configuration:read', 'configuration:write']);
    for (const query of ['?dry_run=true', '']) {
      const { status, body } = await asked(token, [plain, admin], query);
      expect([status, body.errors]).toEqual([
        403,
        [{ member: 'clients[1]', detail: expect.stringContaining('admin:grant') }],
      ]);
    }
    expect((await server.admin('POST', 'configuration', { clients: [admin] })).status).toBe(200);
    for (const query of ['?dry_run=true&prune=true', '?prune=true'])
      expect((await asked(token, [plain], query)).status).toBe(403);
    expect((await asked(token, [admin], '?dry_run=true&prune=true')).body.unchanged).toBe(1);
  });
});

describe.each(storeKinds)('POST /admin/configuration on $name', (kind) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer({ kind });
  });
  afterAll(() => server.stop());

  const apply = async (body: unknown, query = '', headers = {}) =>
    server.admin('POST', `configuration${query}`, body, headers);
  const actions = ({ body }: Answer) =>
    body.changes.map(
      ({ kind, name, action }: Record<string, string>) => `${action} ${kind} ${name}`,
    );
  const events = async () => (await server.admin('GET', 'audit-events?limit=200')).body.items;
  /** What was recorded since, sorted; of one millisecond, events come in either order. */
  const types = async (before: readonly { readonly id: string }[]) => {
    const known = new Set(before.map(({ id }) => id));
    const added = (await events()).filter(({ id }: { id: string }) => !known.has(id));
    const all: string[] = added.map(({ type }: { type: string }) => type);
    return all.filter((type) => !type.startsWith('signing_key')).sort();
  };

  it('a dry run answers the whole plan, and writes nothing', async () => {
    const before = await events();
    const dry = await apply(declared, '?dry_run=true');
    expect(actions(dry)).toEqual([
      `create resource_server ${audience}`,
      'create client orders',
      'create client worker',
      'create trusted_issuer https://platform.example.com',
      'create trust_rule https://platform.example.com orders',
      'create trust_rule https://platform.example.com {"sub":"a","/b/c":1}',
      'create authorization_server https://auth.partner.example',
      'create pairing orders worker',
    ]);
    expect(dry.headers.get('etag')).toMatch(/^"\d+"$/);
    expect(JSON.stringify(dry.body)).not.toContain(secret);
    expect(await events()).toEqual(before);
    expect((await server.admin('GET', 'clients')).body.items).toEqual([]);
  });

  it('makes everything, each change with the event of the single operation', async () => {
    const before = await events();
    expect((await apply(declared)).body).toMatchObject({ dry_run: false, unchanged: 0 });
    expect(await types(before)).toEqual([
      'authorization_server_created',
      'client_created',
      'client_created',
      'pairing_created',
      'resource_server_created',
      'trust_rule_created',
      'trust_rule_created',
      'trusted_issuer_created',
    ]);
    const shown = await server.admin('GET', 'clients/orders');
    expect(shown.body).toMatchObject({ scope: 'read', managed_by: 'configuration' });
    const form = { grant_type: 'client_credentials' };
    const refused = await server.post('/token', form, { authorization: basic('orders', secret) });
    // The client has authenticated: only the proof is missing.
    expect(refused.body.error).not.toBe('invalid_client');
  });

  it('a second time changes nothing, and writes nothing', async () => {
    const [before, read] = [await events(), await server.admin('GET', 'configuration')];
    const again = await apply(declared);
    expect(again.body).toEqual({ dry_run: false, changes: [], unchanged: 8 });
    expect(await events()).toEqual(before);
    const after = await server.admin('GET', 'configuration');
    expect(after.headers.get('etag')).toBe(read.headers.get('etag'));
  });

  it('what is exported is what is there: applying it changes nothing', async () => {
    const { body } = await server.admin('GET', 'configuration');
    expect(JSON.stringify(body)).not.toContain('secret"');
    expect(JSON.stringify(body)).not.toContain('"disabled":false');
    expect((await apply(body, '?dry_run=true&prune=true')).body).toEqual({
      dry_run: true,
      changes: [],
      unchanged: 8,
    });
  });

  it('changes members and keeps the client: its registration is the same', async () => {
    const [orders, worker] = declared.clients;
    const before = await events();
    const changed = { ...declared, clients: [{ ...orders, scope: 'read write' }, worker] };
    const answer = await apply(changed);
    expect(answer.body.changes).toEqual([
      {
        kind: 'client',
        name: 'orders',
        action: 'change',
        members: [{ member: 'scope', before: 'read', after: 'read write' }],
      },
    ]);
    expect(await types(before)).toEqual(['client_changed']);
    // The pairing is of registrations: it would be gone with a client that was made again.
    expect((await server.admin('GET', 'pairings')).body.items).toMatchObject([{ revoked: false }]);
    await apply(declared);
  });

  it('another secret replaces the one before, and no answer has either', async () => {
    const [orders, worker] = declared.clients;
    const renewed = { ...declared, clients: [{ ...orders, client_secret: other }, worker] };
    const answer = await apply(renewed);
    expect(answer.body.changes).toMatchObject([{ members: [{ member: 'client_secret' }] }]);
    expect(JSON.stringify(answer.body)).not.toMatch(/s{40}|t{40}/);
    await apply(declared);
  });

  it('a pairing that differs is revoked and made again', async () => {
    const narrowed = { ...declared, pairings: [{ ...declared.pairings[0], scope: 'read' }] };
    const before = await events();
    expect(actions(await apply(narrowed))).toEqual(['replace pairing orders worker']);
    expect(await types(before)).toEqual(['pairing_created', 'pairing_revoked']);
    await apply(declared);
  });

  it('deletes only with prune, and only what a configuration made', async () => {
    await server.admin('POST', 'clients', { client_id: 'by-hand' });
    const extra = { client_id: 'extra', client_secret: secret };
    await apply({ ...declared, clients: [...declared.clients, extra] });
    expect((await apply(declared)).body.changes).toEqual([]);
    const before = await events();
    expect(actions(await apply(declared, '?prune=true'))).toEqual(['delete client extra']);
    expect(await types(before)).toEqual(['client_deleted']);
    expect((await server.admin('GET', 'clients/by-hand')).status).toBe(200);
  });

  it('changes another authorization server, and deletes with prune what a configuration made', async () => {
    const [other] = declared.authorization_servers;
    const second = { ...other, issuer: 'https://second.example', signing_alg: 'EdDSA' };
    const changed = [{ ...other, scope: 'chat.write' }, second];
    expect(actions(await apply({ ...declared, authorization_servers: changed }))).toEqual([
      'change authorization_server https://auth.partner.example',
      'create authorization_server https://second.example',
    ]);
    const { items } = (await server.admin('GET', 'authorization-servers')).body;
    const found = items.toSorted((a: Named, b: Named) => a.issuer.localeCompare(b.issuer));
    expect(found).toMatchObject([
      { scope: 'chat.write', managed_by: 'configuration' },
      { issuer: 'https://second.example', signing_alg: 'EdDSA' },
    ]);
    const keys = (await server.get('/jwks')).body.keys.map(({ alg }: { alg: string }) => alg);
    expect(keys).toContain('EdDSA');
    expect(actions(await apply(declared, '?prune=true'))).toEqual([
      'change authorization_server https://auth.partner.example',
      'delete authorization_server https://second.example',
    ]);
  });

  it('a plan is for another state once another authorization server has changed', async () => {
    const etag = String((await apply(declared, '?dry_run=true')).headers.get('etag'));
    const { items } = (await server.admin('GET', 'authorization-servers')).body;
    const path = `authorization-servers/${items[0].id}`;
    await server.admin('PATCH', path, { scope: 'chat.read' });
    expect((await apply(declared, '', { 'if-match': etag })).status).toBe(412);
  });

  it('refuses a plan that was made for another state', async () => {
    const dry = await apply(declared, '?dry_run=true');
    const etag = String(dry.headers.get('etag'));
    const issuers = await server.admin('GET', 'trusted-issuers');
    const path = `trusted-issuers/${issuers.body.items[0].id}`;
    await server.admin('PATCH', path, { max_lifetime: 600 });
    expect((await apply(declared, '', { 'if-match': etag })).status).toBe(412);
    const now = String((await apply(declared, '?dry_run=true')).headers.get('etag'));
    const done = await apply(declared, '', { 'if-match': now });
    expect(done.body.changes).toMatchObject([{ name: 'https://platform.example.com' }]);
  });

  it('two at once both come to an end: one plan is made anew', async () => {
    const bodies = Array.from({ length: 3 }, (_, index) => ({
      clients: [{ client_id: `parallel-${index}`, client_secret: secret }],
    }));
    const answers = await Promise.all(bodies.map(async (body) => apply(body)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('one fault keeps everything from being done', async () => {
    const before = await events();
    const clients = [
      { client_id: 'fine', client_secret: secret },
      { client_id: 'keys', token_endpoint_auth_method: 'private_key_jwt' },
    ];
    expect((await apply({ clients })).status).toBe(400);
    expect((await server.admin('GET', 'clients/fine')).status).toBe(404);
    expect(await events()).toEqual(before);
  });

  it('replicas that start at once with CONFIG_FILE make it once, under the migration lock', async () => {
    const folder = scratchFolder();
    const file = join(folder, 'holdfast.yaml');
    writeFileSync(file, JSON.stringify({ clients: [{ ...declaredKey, client_id: 'from-file' }] }));
    const store = await kind.make();
    const start = async () => testServer({ kind, store, env: { CONFIG_FILE: file } });
    const replicas = await Promise.all([start(), start(), start()]);
    const made = replicas.flatMap(({ logs }) =>
      logs.filter(({ msg }) => msg === 'CONFIG_FILE is applied').map(({ changes }) => changes),
    );
    expect(made.map(String).sort()).toEqual(['0', '0', '1']);
    const events = await replicas[0]?.admin('GET', 'audit-events?type=client_created');
    expect(events?.body.items).toMatchObject([{ actor: 'admin:CONFIG_FILE' }]);
    for (const replica of replicas) await replica.stop();
    await store.remove();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['that says nothing of it', {}, { disabled: true, changes: '0', level: undefined }],
    ['that enables it', { disabled: false }, { disabled: false, changes: '1', level: 40 }],
  ])(
    'after a client was disabled by hand, a start with a CONFIG_FILE %s: %j %j',
    async (_, more, expected) => {
      const folder = scratchFolder();
      const CONFIG_FILE = join(folder, 'holdfast.yaml');
      const client = { ...declaredKey, client_id: 'stolen', scope: 'read', ...more };
      writeFileSync(CONFIG_FILE, JSON.stringify({ clients: [client] }));
      const store = await kind.make();
      const first = await testServer({ kind, store, env: { CONFIG_FILE } });
      expect((await first.admin('PATCH', 'clients/stolen', { disabled: true })).status).toBe(200);
      await first.stop();
      const again = await testServer({ kind, store, clock: first.clock, env: { CONFIG_FILE } });
      const { body } = await again.admin('GET', 'clients/stolen');
      const applied = again.logs.find(({ msg }) => msg === 'CONFIG_FILE is applied');
      const change = again.logs.find(({ action }) => action === 'change');
      expect({
        disabled: body.disabled,
        changes: String(applied?.['changes']),
        level: change?.['level'],
      }).toEqual(expected);
      expect([first, again].flatMap(({ logs }) => logs.filter(({ aborted }) => aborted))).toEqual(
        [],
      );
      expect(first.logs.find(({ action }) => action === 'create')).toMatchObject({
        kind: 'client',
        name: 'stolen',
      });
      await again.stop();
      await store.remove();
      rmSync(folder, { recursive: true });
    },
  );

  it('prunes all of it', async () => {
    await apply({}, '?prune=true');
    const left = (await server.admin('GET', 'configuration')).body;
    expect(left.clients).toMatchObject([{ client_id: 'by-hand' }]);
    expect({ ...left, clients: [] }).toEqual({
      resource_servers: [],
      clients: [],
      trusted_issuers: [],
      authorization_servers: [],
      pairings: [],
    });
  });
});

describe('the faults of a configuration', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server.stop());

  it('a resource server that is null is one', async () => {
    const { status, body } = await server.admin('POST', 'configuration?dry_run=true', {
      resource_servers: [null],
    });
    expect([status, body.errors]).toEqual([
      400,
      [{ member: 'resource_servers[0]', detail: 'the member must be an object' }],
    ]);
  });

  it('are answered at once: those of the schema, and of each thing what its own operation refuses', async () => {
    const answer = await server.admin('POST', 'configuration?dry_run=true', {
      client: [],
      resource_servers: [
        { audience, cnf_method_supported: ['jkt'] },
        { audience: 'https://two.example.com', cnf_methods_supported: ['jwe'] },
      ],
      clients: [
        { client_id: 'a', client_secret: secret, scop: 'read' },
        { client_id: 'b' },
        {
          client_id: 'e',
          client_secret: secret,
          token_endpoint_auth_method: 'private_key_jwt',
          tls_client_auth_san_dns: 'e.example.com',
        },
        { client_id: 'c', client_secret: secret, jwks_uri: 'https://127.0.0.1/keys' },
        { client_id: 'd', client_secret: secret },
        { client_id: 'd', client_secret: secret },
        null,
      ],
      trusted_issuers: [
        {
          issuer: 'https://p.example.com',
          purposes: ['workload'],
          rules: [{ claims: { sub: 'x' } }],
        },
      ],
      authorization_servers: [
        {
          issuer: 'https://as.example.com',
          clients: [{ client_id: 'd', remote_client_id: 'e' }],
        },
      ],
      pairings: [{ requester: 'd', holder: 'nobody' }],
    });
    expect(answer.status).toBe(400);
    expect(
      answer.body.errors.map(
        ({ member, detail }: Record<string, string>) => `${member}: ${detail}`,
      ),
    ).toEqual([
      'client: the member is unknown; the nearest known member is clients',
      'resource_servers[0].cnf_method_supported: the member is unknown; the nearest known member is cnf_methods_supported',
      'clients[0].scop: the member is unknown; the nearest known member is scope',
      'clients[6]: the member must be an object',
      'resource_servers[1].symmetric_keys_enabled: the confirmation method jwe has to be switched on with symmetric_keys_enabled',
      'clients[1].client_secret: client_secret is required here, because a generated one would not be shown',
      'clients[2].jwks: this token_endpoint_auth_method needs jwks or jwks_uri',
      'clients[2].client_secret: a client with this token_endpoint_auth_method has no secret',
      'clients[2].tls_client_auth_san_dns: only a tls_client_auth client has a certificate subject',
      'clients[3].jwks_uri: nothing is fetched from the host of jwks_uri: it is not public, or not in ASCII',
      'clients[5].client_id: this client_id is already declared at clients[4]',
      'trusted_issuers[0].rules[0].client_id: a rule leads to a client, to a subject, or both',
      'authorization_servers[0].issuer: this server gives no grants for itself',
      'pairings[0].holder: there is no such client',
    ]);
  });

  it('an admin without admin:grant declares no client that is an admin', async () => {
    const token = { name: 'declarer', scopes: ['configuration:read', 'configuration:write'] };
    const { body } = await server.admin('POST', 'admin-tokens', token);
    const headers = { authorization: `Bearer ${body.token}` };
    const resources = ['urn:holdfast:admin'];
    const client = { client_id: 'admin', client_secret: secret, resources };
    const ordinary = { client_id: 'ordinary', client_secret: secret };
    const clients = [ordinary, { ...client, admin_scopes: ['clients:read'] }];
    const answer = await server.admin('POST', 'configuration', { clients }, headers);
    expect(answer.status).toBe(403);
    expect((await server.admin('GET', 'clients/ordinary')).status).toBe(404);
    const allowed = { clients: [ordinary] };
    const done = await server.admin('POST', 'configuration', allowed, headers);
    expect(done.status).toBe(200);
    const { items } = (await server.admin('GET', 'audit-events?type=client_created')).body;
    expect(items).toMatchObject([{ client_id: 'ordinary', actor: `admin:declarer#${body.id}` }]);
  });

  it('a client that would be deleted is named by nothing that stays', async () => {
    await server.admin('POST', 'configuration', {
      clients: ['a', 'b'].map((client_id) => ({ client_id, client_secret: secret })),
    });
    const answer = await server.admin('POST', 'configuration?prune=true', {
      clients: [{ client_id: 'a', client_secret: secret, alt_cnf_holders: ['b'] }],
      pairings: [{ requester: 'a', holder: 'b' }],
    });
    expect(answer.body.errors.map(({ member }: { member: string }) => member)).toEqual([
      'clients[0].alt_cnf_holders',
      'pairings[0].holder',
    ]);
  });
});
