import { randomBytes } from 'node:crypto';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminScopes } from '../../src/domain/admin-access.ts';
import { testKey } from '../support/keys.ts';
import { answerFaults, type Document, type OperationObject } from '../support/openapi.ts';
import { type Answer, basic, type TestServer, testServer } from '../support/server.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';

let store: TestStore;
let server: TestServer;
let document: Document;
beforeAll(async () => {
  store = await onSqlite.make();
  server = await testServer({
    store,
    env: { KEY_ENCRYPTION_KEY_NEXT: randomBytes(32).toString('base64url') },
  });
  document = (await server.admin('GET', 'openapi.json')).body;
});
afterAll(async () => {
  await server.stop();
  await store.remove();
});

const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );

/** Operation and status of every answer that was compared with the document. */
const seen = new Set<string>();
async function compared(operation: OperationObject, answer: Answer): Promise<Answer> {
  expect([
    operation.operationId,
    answer.status,
    ...answerFaults(document, operation, answer),
  ]).toEqual([operation.operationId, answer.status]);
  seen.add(`${operation.operationId} ${answer.status}`);
  return answer;
}

/** Calls an operation by its name and compares the answer. */
async function call(
  operationId: string,
  {
    params = {},
    query = '',
    body,
    headers,
  }: {
    params?: Record<string, string>;
    query?: string;
    body?: unknown;
    headers?: Record<string, string>;
  } = {},
): Promise<Answer> {
  const found = operations().find(({ operation }) => operation.operationId === operationId);
  if (found === undefined) throw new Error(`${operationId} is not in the document`);
  const path = underAdmin(found.path).replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? 'nowhere'),
  );
  return compared(
    found.operation,
    await server.admin(found.method.toUpperCase(), `${path}${query}`, body, headers),
  );
}

/** The path as seen from /admin/. */
function underAdmin(path: string): string {
  return path.startsWith('/admin/') ? path.slice('/admin/'.length) : `..${path}`;
}

/** The least that some operations take. */
const issuerBody = { issuer: 'https://op.example', purposes: ['workload'] };
const ruleBody = { claims: { sub: 'x' }, client_id: 'all' };
const elsewhereBody = {
  issuer: 'https://as.example.net',
  clients: [{ client_id: 'all', remote_client_id: 'x' }],
};
const required: Readonly<Record<string, object>> = {
  createAdminToken: { name: 'x', scopes: ['clients:read'] },
  createTrustedIssuer: issuerBody,
  replaceTrustedIssuer: issuerBody,
  createAuthorizationServer: elsewhereBody,
  replaceAuthorizationServer: elsewhereBody,
  createTrustRule: ruleBody,
  replaceTrustRule: ruleBody,
  tryTokenOfTrustedIssuer: { token: 'x' },
};

interface Refused {
  readonly where: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Status, then the members named. */
  readonly expected: readonly (number | string)[];
}

/** Tokens that lack one scope each, by that scope. */
const others = new Map<string, string>();

function neededScope({ security }: OperationObject): string {
  return security?.[0]?.['admin_token']?.[0] ?? '';
}

/** Requests that are refused for what they are, whatever the operation does. */
function commonRefusals({
  path,
  operation,
}: ReturnType<typeof operations>[number]): readonly Refused[] {
  const to = underAdmin(path);
  const [where, odd] = ['nowhere', '%01'].map((id) => to.replaceAll(/\{\w+\}/g, id)) as [
    string,
    string,
  ];
  const parameters = [...to.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const bodied = operation.requestBody !== undefined;
  const rightBody =
    operation.operationId === 'replaceResourceServer'
      ? { audience: 'urn:a:b' }
      : operation.operationId === 'rotateSigningKey'
        ? { alg: 'ML-DSA-65' }
        : (required[operation.operationId] ?? {});
  const body = bodied ? rightBody : undefined;
  const missing = operation.operationId === 'createPairing' ? ['requester', 'holder'] : [];
  const listed = operation.parameters?.some(({ name }) => name === 'cursor') ?? false;
  return [
    { where, body, headers: { authorization: 'Bearer x' }, expected: [401] },
    // Everything but what it needs.
    ...(operation.security === undefined
      ? []
      : [
          {
            where,
            body,
            headers: { authorization: `Bearer ${others.get(neededScope(operation))}` },
            expected: [403],
          },
        ]),
    ...(parameters.length === 0 ? [] : [{ where: odd, body, expected: [400, ...parameters] }]),
    ...(listed
      ? [
          { where: `${to}?cursor=AA`, expected: [400, 'cursor'] },
          { where: `${to}?nmae=x&limit=0`, expected: [400, 'nmae', 'limit'] },
        ]
      : []),
    ...(operation.responses['404'] === undefined
      ? []
      : [
          {
            where,
            body,
            expected: operation.operationId === 'rotateSigningKey' ? [404, 'alg'] : [404],
          },
        ]),
    ...(bodied
      ? [
          {
            where,
            body: {
              ...(operation.operationId === 'createResourceServer'
                ? { audience: 'urn:a:b' }
                : rightBody),
              surprise: 1,
            },
            expected: [400, ...missing, 'surprise'],
          },
          {
            where,
            body: '',
            headers: { 'content-type': 'application/json' },
            expected: [400, 'body'],
          },
          { where, body: '<x/>', headers: { 'content-type': 'application/xml' }, expected: [415] },
          { where, body: JSON.stringify({ name: 'x'.repeat(tooLarge(where)) }), expected: [413] },
        ]
      : []),
  ];
}

/** More bytes than a body at this path may have. */
const tooLarge = (where: string) => (where.startsWith('configuration') ? 9_000_000 : 300_000);

describe('the OpenAPI 3.1 document', () => {
  it('is valid', async () => {
    const { valid, errors } = await new Validator().validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    );
    expect([valid, errors, document.openapi, document.security]).toEqual([
      true,
      undefined,
      '3.1.0',
      [{ admin_token: [] }, { bound_admin_token: [] }],
    ]);
  });
  it('names every operation once, with its path parameters and with schemas for every answer', () => {
    const names = operations().map(({ operation }) => operation.operationId);
    expect(names.length).toBe(new Set(names).size);
    for (const { path, operation } of operations()) {
      const inPath = (operation.parameters ?? [])
        .filter((parameter) => parameter.in === 'path')
        .map(({ name }) => `{${name}}`);
      expect(path.match(/\{\w+\}/g) ?? []).toEqual(inPath);
      const bare = Object.entries(operation.responses).filter(
        ([, { content }]) =>
          content === undefined ||
          Object.values(content).some(({ schema }) => Object.keys(schema).length === 0),
      );
      expect(bare.map(([status]) => status).filter((status) => status !== '204')).toEqual([]);
    }
  });
  it('has exactly the methods that the server allows', async () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const { status, headers } = await server.admin(
        'OPTIONS',
        underAdmin(path).replaceAll(/\{\w+\}/g, 'x'),
      );
      const allowed = (headers.get('allow') ?? '')
        .split(', ')
        .filter((method) => method !== 'HEAD');
      expect([path, status, allowed.sort()]).toEqual([
        path,
        405,
        Object.keys(item)
          .map((method) => method.toUpperCase())
          .sort(),
      ]);
    }
  });
});

describe('what each operation answers is what the document says', () => {
  it('getMetrics', async () => {
    expect((await call('getMetrics')).body).toContain('holdfast_workers 1');
  });
  it('getOpenapiDocument', async () => {
    expect((await call('getOpenapiDocument')).body).toEqual(document);
  });
  it('clients', async () => {
    const { jwk } = await testKey();
    const everything = {
      client_id: 'all',
      client_name: 'All members',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      client_assertion_audiences: 'endpoint',
      grant_types: ['client_credentials'],
      scope: 'read write',
      jwks: { keys: [{ ...jwk, kid: 'a' }] },
      tls_client_certificate_bound_access_tokens: false,
      dpop_bound_access_tokens: true,
      dpop_nonce_required: true,
      client_assertion_bound_access_tokens: true,
      resources: ['https://rs.example.com'],
      alt_cnf_holders: ['other'],
      alt_cnf_requesters: ['other'],
      alt_cnf_registered_key: true,
      disabled: false,
    };
    expect((await call('createClient', { body: everything })).body).toMatchObject(everything);
    expect(
      (await call('createClient', { body: { client_id: 'plain' } })).body.client_secret,
    ).toMatch(/^[\w-]{43}$/);
    const subject = {
      client_id: 'tls',
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_san_dns: 'client.example',
    };
    await call('createClient', { body: subject });
    await call('createClient', {
      body: {
        client_id: 'remote',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri: 'https://client.example/jwks',
      },
    });
    expect((await call('createClient', { body: { client_id: 'plain' } })).status).toBe(409);
    expect(
      (await call('listClients', { query: '?limit=2&name=' })).body.next_cursor,
    ).not.toBeNull();
    expect((await call('getClient', { params: { id: 'all' } })).body).toMatchObject(everything);
    const { headers } = await call('replaceClient', {
      params: { id: 'plain' },
      body: { client_secret: 'x'.repeat(32) },
    });
    await call('replaceClient', {
      params: { id: 'plain' },
      body: {},
      headers: { 'if-match': '"1", "9"' },
    });
    await call('changeClient', {
      params: { id: 'plain' },
      body: { scope: 'read' },
      headers: { 'if-match': `"7", ${headers.get('etag')}` },
    });
    await call('changeClient', {
      params: { id: 'plain' },
      body: {},
      headers: { 'if-match': '"1"' },
    });
    await call('changeClient', {
      params: { id: 'plain' },
      body: { scope: null },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(
      (await call('deleteClient', { params: { id: 'plain' }, headers: { 'if-match': '"1"' } }))
        .status,
    ).toBe(412);
    expect((await call('deleteClient', { params: { id: 'plain' } })).status).toBe(204);
  });
  it('RFC 9110 §13.1.2: If-None-Match of what exists changes nothing, and of another version is met', async () => {
    const params = { id: 'conditional' };
    const made = await call('createClient', { body: { client_id: params.id, scope: 'read' } });
    const etag = String(made.headers.get('etag'));
    const outcomes = async (headers: Record<string, string>) => [
      (await call('changeClient', { params, body: { scope: 'x' }, headers })).status,
      (await call('replaceClient', { params, body: { scope: 'x' }, headers })).status,
      (await call('deleteClient', { params, headers })).status,
    ];
    for (const condition of ['*', etag, `W/${etag}`, `"0", ${etag}`])
      expect(await outcomes({ 'if-none-match': condition })).toEqual([412, 412, 412]);
    expect(await outcomes({ 'if-none-match': '*', 'if-match': '*' })).toEqual([412, 412, 412]);
    expect((await call('getClient', { params })).body).toMatchObject({ scope: 'read' });
    expect(await outcomes({ 'if-none-match': '"0"' })).toEqual([200, 200, 204]);
    expect(
      (await call('changeClient', { params, body: {}, headers: { 'if-none-match': '*' } })).status,
    ).toBe(404);
  });
  it('resource servers', async () => {
    const everything = {
      audience: 'https://rs.example.com',
      client_id: 'rs',
      name: 'API',
      scopes: ['read'],
      cnf_methods_supported: ['jwk', 'jkt'],
      alt_cnf_supported: true,
      multi_key_form: 'alt_cnf',
      introspection_requires_proof: true,
      origins: ['https://rs.example.com', 'http://127.0.0.1:9000'],
      gateway_mode: 'report',
      access_token_lifetime: 60,
      access_token_signing_alg: 'EdDSA',
    };
    const { body, headers } = await call('createResourceServer', {
      body: { ...everything, client_secret: 'r'.repeat(32) },
    });
    const params = { id: body.id };
    expect(body).toMatchObject(everything);
    expect((await call('createResourceServer', { body: everything })).status).toBe(409);
    await call('listResourceServers');
    await call('getResourceServer', { params });
    await call('replaceResourceServer', { params, body: { audience: everything.audience } });
    await call('changeResourceServer', { params, body: { scopes: ['read', 'write'] } });
    for (const operation of [
      'replaceResourceServer',
      'changeResourceServer',
      'deleteResourceServer',
    ])
      await call(operation, {
        params,
        headers: { 'if-match': String(headers.get('etag')) },
        ...(operation[0] !== 'd' && { body: { audience: everything.audience } }),
      });
    const { body: spare } = await call('createResourceServer', {
      body: { audience: 'urn:example:spare' },
    });
    await call('deleteResourceServer', { params: { id: spare.id } });
  });
  it.each([
    { noun: 'Client', id: async () => 'several' },
    {
      noun: 'ResourceServer',
      id: async () => String((await server.admin('GET', 'resource-servers')).body.items[0].id),
    },
  ])('secrets of a $noun', async ({ noun, id }) => {
    await server.admin('POST', 'clients', { client_id: 'several' });
    const params = { id: await id() };
    const { body: made } = await call(`create${noun}Secret`, {
      params,
      body: { client_secret: 't'.repeat(32), expires_at: 4_000_000_000 },
    });
    expect(
      (await call(`create${noun}Secret`, { params, body: { client_secret: 't'.repeat(32) } }))
        .status,
    ).toBe(409);
    const { items } = (await call(`list${noun}Secrets`, { params })).body;
    expect(items).toHaveLength(2);
    await call(`change${noun}Secret`, {
      params: { ...params, secret_id: made.id },
      body: { expires_at: null },
    });
    expect(
      (await call(`delete${noun}Secret`, { params: { ...params, secret_id: items[0].id } })).status,
    ).toBe(204);
    expect(
      (await call(`delete${noun}Secret`, { params: { ...params, secret_id: made.id } })).status,
    ).toBe(409);
  });
  it('pairings, trusted issuers', async () => {
    const pair = {
      requester: 'all',
      holder: 'tls',
      mode: 'proof',
      first_party: true,
      scope: 'read',
      resources: ['https://rs.example.com'],
    };
    const { body: made } = await call('createPairing', { body: pair });
    expect(made).toMatchObject(pair);
    expect((await call('createPairing', { body: pair })).status).toBe(409);
    await call('listPairings', { query: '?requester=all' });
    await call('getPairing', { params: { id: made.id } });
    await call('revokePairing', { params: { id: made.id } });
    await call('deletePairing', { params: { id: made.id } });
    const issuer = {
      issuer: 'https://op.example',
      purposes: ['id_jag', 'workload'],
      audience: ['app', 'other-app'],
      jwks_uri: 'https://op.example/jwks',
      allow_private_addresses: true,
      algorithms: ['RS256', 'ES256'],
      max_lifetime: 3600,
      clients: ['all'],
      subject_prefix: 'op:',
    };
    const { body: trusted } = await call('createTrustedIssuer', { body: issuer });
    expect(trusted).toMatchObject(issuer);
    expect((await call('createTrustedIssuer', { body: issuer })).status).toBe(409);
    await call('listTrustedIssuers');
    const params = { id: trusted.id };
    await call('getTrustedIssuer', { params });
    await call('replaceTrustedIssuer', { params, body: { ...issuer, audience: 'app' } });
    await call('changeTrustedIssuer', { params, body: { max_lifetime: null } });
    const rule = {
      name: 'workers',
      priority: 5,
      claims: {
        sub: 'a*',
        '/kubernetes.io/namespace': { exact: 'b' },
        '"kubernetes.io".pod': { prefix: 'c' },
        protected: true,
        run: 7,
      },
      client_id: 'all',
      subject: 'of:{sub}',
      scope: 'read',
      resources: ['https://rs.example.com'],
      access_token_lifetime: 60,
      pin: true,
    };
    const below = { trusted_issuer_id: trusted.id };
    const { body: ruled } = await call('createTrustRule', { params: below, body: rule });
    expect(ruled).toMatchObject(rule);
    await call('createTrustRule', { params: below, body: ruleBody });
    const ofRule = { ...below, id: ruled.id };
    await call('listTrustRules', { params: below });
    await call('getTrustRule', { params: ofRule });
    await call('replaceTrustRule', { params: ofRule, body: ruleBody });
    await call('changeTrustRule', { params: ofRule, body: { pin: null } });
    for (const operation of ['replace', 'change', 'delete'])
      await call(`${operation}TrustRule`, {
        params: ofRule,
        headers: { 'if-match': '"1"' },
        ...(operation !== 'delete' && { body: ruleBody }),
      });
    await call('deleteTrustRule', { params: ofRule });
    expect(
      (await call('tryTokenOfTrustedIssuer', { params, body: { token: 'x' } })).body,
    ).toMatchObject({ verified: false, fault: 'platform_token_malformed' });
    for (const operation of ['replace', 'change', 'delete'])
      await call(`${operation}TrustedIssuer`, {
        params,
        headers: { 'if-match': '"1"' },
        ...(operation !== 'delete' && { body: issuer }),
      });
    await call('deleteTrustedIssuer', { params: { id: trusted.id } });
  });
  it('other authorization servers', async () => {
    const body = { ...elsewhereBody, scope: 'read', resources: ['urn:a:b'], signing_alg: 'ES256' };
    const { body: made } = await call('createAuthorizationServer', { body });
    expect(made).toMatchObject(body);
    expect((await call('createAuthorizationServer', { body })).status).toBe(409);
    const twice = { ...body, clients: [...body.clients, ...body.clients] };
    expect((await call('createAuthorizationServer', { body: twice })).status).toBe(400);
    await call('listAuthorizationServers');
    const params = { id: made.id };
    await call('getAuthorizationServer', { params });
    await call('replaceAuthorizationServer', { params, body: elsewhereBody });
    await call('changeAuthorizationServer', { params, body: { scope: 'read' } });
    for (const operation of ['replace', 'change', 'delete'])
      await call(`${operation}AuthorizationServer`, {
        params,
        headers: { 'if-match': '"1"' },
        ...(operation !== 'delete' && { body }),
      });
    await call('deleteAuthorizationServer', { params });
  });
  it('admin tokens', async () => {
    const made = { name: 'reader', scopes: ['clients:read'], expires_at: 2_000_000_000 };
    const { body } = await call('createAdminToken', { body: made });
    expect(body).toMatchObject(made);
    expect((await call('createAdminToken', { body: made })).status).toBe(409);
    const params = { id: body.id };
    expect((await call('rotateAdminToken', { params, body: {} })).body.token).not.toBe(body.token);
    expect((await call('rotateAdminToken', { params, body: {} })).status).toBe(409);
    expect((await call('listAdminTokens')).body.items).toHaveLength(1);
    await call('deleteAdminToken', { params });
  });
  it('tokens, the audit trail, signing keys', async () => {
    await server.admin('POST', 'clients', {
      client_id: 'app',
      client_secret: 's'.repeat(32),
      scope: 'read',
    });
    const proof = await (await testKey()).proof();
    const token = await server.post(
      '/token',
      { grant_type: 'client_credentials' },
      { authorization: basic('app', 's'.repeat(32)), dpop: proof },
    );
    const [, payload = ''] = String(token.body.access_token).split('.');
    const { jti } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string };
    expect((await call('revokeToken', { params: { jti } })).status).toBe(204);
    await call('revokeTokensOfClient', { params: { client_id: 'app' } });
    await call('revokeTokensOfKey', { params: { jkt: 'x' } });
    const { body } = await call('listAuditEvents', { query: '?limit=200' });
    expect(body.items.map(({ type }: { type: string }) => type)).toContain('token_issued');
    expect(
      (
        await call('listAuditEvents', {
          query: '?limit=1',
          headers: { accept: 'application/jsonl' },
        })
      ).headers.has('x-next-cursor'),
    ).toBe(true);
    await call('rotateSigningKey', { body: { alg: 'ES256', immediately: true } });
    expect((await call('rotateSigningKey', { body: { alg: 'ML-DSA-65' } })).status).toBe(404);
    const { body: keys } = await call('listSigningKeys');
    expect((await call('revokeSigningKey', { params: { kid: keys.items[0].kid } })).status).toBe(
      204,
    );
    await call('listSigningKeys');
    await call('listDpopNonceSecrets');
    expect((await call('rotateDpopNonceSecrets')).body.items.length).toBe(1);
    const changed = await call('rotateKeyEncryptionKey');
    expect(changed.body.shared_secrets).toBe(1);
    const connection = await new PrismaLibSql({ url: String(store.env['DATABASE_URL']) }).connect();
    await connection.executeScript(
      "update shared_secret set value = 'of another server' where name = 'key_encryption_key'",
    );
    expect((await call('rotateKeyEncryptionKey')).status).toBe(409);
    await connection.executeScript(
      `update shared_secret set value = '${changed.body.key_id}' where name = 'key_encryption_key'`,
    );
    await connection.dispose();
  });
  it('configurations', async () => {
    const { body, headers } = await call('getConfiguration', {});
    expect(body.clients).not.toEqual([]);
    const etag = String(headers.get('etag'));
    const client = { client_id: 'declared', client_secret: 'd'.repeat(32) };
    const declared = { body: { clients: [client] }, headers: { 'if-match': etag } };
    expect((await call('applyConfiguration', declared)).body.changes).toHaveLength(1);
    expect((await call('applyConfiguration', declared)).status).toBe(412);
  });
  it('refusals that every operation has in common', async () => {
    for (const needed of adminScopes) {
      // A token that may grant would end the first one, with its first use.
      const scopes = adminScopes.filter((scope) => scope !== needed && scope !== 'admin:grant');
      const name = needed.replace(':', '-');
      const { body } = await server.admin('POST', 'admin-tokens', { name, scopes });
      others.set(needed, body.token);
    }
    for (const each of operations()) {
      for (const { where, body, headers, expected } of commonRefusals(each)) {
        const answer = await compared(
          each.operation,
          await server.admin(each.method.toUpperCase(), where, body, headers),
        );
        const members = (answer.body.errors ?? []).map(({ member }: { member: string }) => member);
        expect([each.path, where, answer.status, ...members]).toEqual([
          each.path,
          where,
          ...expected,
        ]);
      }
    }
  });
  it('the store away: 503, with Retry-After', async () => {
    const connection = await new PrismaLibSql({ url: String(store.env['DATABASE_URL']) }).connect();
    const tables = [
      'client',
      'resource_server',
      'pairing',
      'trusted_issuer',
      'trust_rule',
      'authorization_server',
      'revoked_token',
      'audit_event',
      'signing_key',
      'shared_secret',
      'admin_token',
    ];
    await connection.executeScript(tables.map((name) => `drop table ${name};`).join(''));
    await connection.dispose();
    const bodies: Readonly<Record<string, object>> = {
      createResourceServer: { audience: 'urn:a:b' },
      replaceResourceServer: { audience: 'urn:a:b' },
      createPairing: { requester: 'x', holder: 'y' },
      ...required,
      rotateSigningKey: { alg: 'ES256' },
    };
    for (const { operation } of operations()) {
      if (operation.responses['503'] === undefined) continue;
      const body =
        operation.requestBody === undefined ? undefined : (bodies[operation.operationId] ?? {});
      const { status, headers } = await call(operation.operationId, { body });
      expect([operation.operationId, status, headers.get('retry-after')]).toEqual([
        operation.operationId,
        503,
        '1',
      ]);
    }
  });
  it('every documented status was seen', () => {
    const documented = operations().flatMap(({ operation }) =>
      Object.keys(operation.responses).flatMap((status) =>
        status === 'default' ? [] : [`${operation.operationId} ${status}`],
      ),
    );
    expect(documented.filter((each) => !seen.has(each))).toEqual([]);
  });
});
