import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import { rocaModulus } from '../support/weak-rsa.ts';

const audience = 'https://rs.example.com';
let server: TestServer;
let jwk: Record<string, unknown>;
beforeAll(async () => {
  server = await testServer();
  jwk = { ...(await testKey()).jwk };
});
afterAll(async () => server.stop());

let counter = 0;
const fresh = () => `client-${counter++}`;

describe('the admin token', () => {
  it.each([
    ['none', {}],
    ['another one', { authorization: 'Bearer x' }],
    ['Basic', { authorization: `Basic ${Buffer.from('admin:x').toString('base64')}` }],
  ])('%s: 401 with a challenge', async (_, headers) => {
    for (const [method, path] of [
      ['GET', 'clients'],
      ['POST', 'clients'],
      ['PUT', 'clients/x'],
      ['DELETE', 'clients/x'],
      ['GET', 'nowhere'],
      ['GET', 'openapi.json'],
    ] as const) {
      const response = await fetch(
        `${server.adminUrl}/admin/${path}?access_token=${'a'.repeat(32)}`,
        {
          method,
          headers: headers as Record<string, string>,
        },
      );
      expect([
        response.status,
        response.headers.get('www-authenticate'),
        response.headers.get('content-type')?.split(';')[0],
      ]).toEqual([401, 'Bearer realm="holdfast admin"', 'application/problem+json']);
      await response.text();
    }
  });
  it('is not asked for, and not served, on the public listener', async () => {
    for (const path of ['/admin/clients', '/metrics', '/debug', '/admin/openapi.json'])
      expect((await server.get(path)).status).toBe(404);
  });
});

describe('RFC 7591 §2: a client', () => {
  it('shows its secret once, and never again', async () => {
    const client_id = fresh();
    const created = await server.admin('POST', 'clients', { client_id, client_name: 'A client' });
    expect(created).toMatchObject({
      status: 201,
      body: {
        client_id,
        client_name: 'A client',
        client_secret: expect.stringMatching(/^[\w-]{43}$/),
      },
    });
    const shown = [
      await server.admin('GET', `clients/${client_id}`),
      await server.admin('GET', 'clients?client_name=A client'),
      await server.admin('PATCH', `clients/${client_id}`, { client_name: 'B' }),
      await server.admin('PUT', `clients/${client_id}`, { client_name: 'C' }),
    ];
    for (const { status, body } of shown) {
      expect(status).toBe(200);
      expect(JSON.stringify(body)).not.toMatch(/client_secret"|hash|clientSecrets/);
    }
    expect(JSON.stringify(server.logs)).not.toContain(created.body.client_secret);
  });
  it('is refused when its client_id is taken', async () => {
    const client_id = fresh();
    await server.admin('POST', 'clients', { client_id });
    expect((await server.admin('POST', 'clients', { client_id })).status).toBe(409);
  });
  it('PATCH keeps what was not sent, and null clears', async () => {
    const client_id = fresh();
    await server.admin('POST', 'clients', {
      client_id,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [jwk] },
      dpop_bound_access_tokens: true,
      scope: 'read',
    });
    const { body } = await server.admin('PATCH', `clients/${client_id}`, {
      client_name: 'named',
      scope: null,
    });
    expect(body).toMatchObject({
      client_name: 'named',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [jwk] },
      dpop_bound_access_tokens: true,
    });
    expect(body).not.toHaveProperty('scope');
  });
  it('a stale version is noticed (RFC 9110 §13.1.1)', async () => {
    const client_id = fresh();
    const { headers } = await server.admin('POST', 'clients', { client_id });
    const match = { 'if-match': String(headers.get('etag')) };
    expect(
      (await server.admin('PUT', `clients/${client_id}`, { client_name: 'first' }, match)).status,
    ).toBe(200);
    expect(
      (await server.admin('PUT', `clients/${client_id}`, { client_name: 'second' }, match)).status,
    ).toBe(412);
    expect((await server.admin('DELETE', `clients/${client_id}`, undefined, match)).status).toBe(
      412,
    );
    expect((await server.admin('GET', `clients/${client_id}`)).body.client_name).toBe('first');
  });
  it('is gone after DELETE', async () => {
    const client_id = fresh();
    await server.admin('POST', 'clients', { client_id });
    expect((await server.admin('DELETE', `clients/${client_id}`)).status).toBe(204);
    expect((await server.admin('GET', `clients/${client_id}`)).status).toBe(404);
    expect((await server.admin('DELETE', `clients/${client_id}`)).status).toBe(404);
  });

  const b64 = (octets: Buffer) => octets.toString('base64url');
  const rsa = (n: Buffer, e = 'AQAB') => ({ kty: 'RSA', n: b64(n), e });
  const odd = (length: number, first = 0xc1) =>
    Buffer.concat([Buffer.from([first]), Buffer.alloc(length - 2, 0x5a), Buffer.from([0x01])]);
  const keyFaults: readonly (readonly [string, () => unknown, string])[] = [
    ['jwks null', () => null, 'jwks'],
    ['jwks an array', () => [], 'jwks'],
    ['jwks without keys', () => ({}), 'jwks.keys'],
    ['keys a string', () => ({ keys: 'x' }), 'jwks.keys'],
    ['no keys', () => ({ keys: [] }), 'jwks.keys'],
    ['another member beside keys', () => ({ keys: [jwk], foo: 1 }), 'jwks.foo'],
    ['a JWK null', () => ({ keys: [null] }), 'jwks.keys[0]'],
    ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].map(
      (member) =>
        [
          `private member ${member}`,
          () => ({ keys: [{ ...jwk, [member]: 'AA' }] }),
          `jwks.keys[0].${member}`,
        ] as const,
    ),
    ['an oct key', () => ({ keys: [{ kty: 'oct' }] }), 'jwks.keys[0].kty'],
    ['no kty', () => ({ keys: [{}] }), 'jwks.keys[0].kty'],
    ['kty __proto__', () => ({ keys: [{ kty: '__proto__' }] }), 'jwks.keys[0].kty'],
    ['EC without y', () => ({ keys: [{ ...jwk, y: undefined }] }), 'jwks.keys[0].y'],
    [
      'EC with an unknown curve',
      () => ({ keys: [{ ...jwk, crv: 'secp256k1' }] }),
      'jwks.keys[0].crv',
    ],
    ['OKP without x', () => ({ keys: [{ kty: 'OKP', crv: 'Ed25519' }] }), 'jwks.keys[0].x'],
    [
      'Ed25519, a point of small order',
      () => ({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: b64(Buffer.alloc(32)) }] }),
      'jwks.keys[0].x',
    ],
    ['RSA without e', () => ({ keys: [{ kty: 'RSA', n: b64(odd(256)) }] }), 'jwks.keys[0].e'],
    ...['AQ', 'Ag', 'BA', 'AA', 'Aw'].map(
      (e) => [`RSA with e ${e}`, () => ({ keys: [rsa(odd(256), e)] }), 'jwks.keys[0].e'] as const,
    ),
    ['RSA of 1024 bits', () => ({ keys: [rsa(odd(128))] }), 'jwks.keys[0].n'],
    [
      'RSA of 2040 bits behind a zero octet',
      () => ({ keys: [rsa(odd(256, 0))] }),
      'jwks.keys[0].n',
    ],
    ['RSA of 16384 bits', () => ({ keys: [rsa(odd(2048))] }), 'jwks.keys[0].n'],
    [
      'RSA with the fingerprint of ROCA',
      () => ({ keys: [{ kty: 'RSA', n: rocaModulus(), e: 'AQAB' }] }),
      'jwks.keys[0].n',
    ],
    [
      'EC, the point at infinity',
      () => ({ keys: [{ ...jwk, x: b64(Buffer.alloc(32)), y: b64(Buffer.alloc(32)) }] }),
      'jwks.keys[0]',
    ],
    [
      'EC, a point of another curve',
      () => ({ keys: [{ ...jwk, crv: 'P-384' }] }),
      'jwks.keys[0].x',
    ],
    [
      'OKP for key agreement',
      () => ({ keys: [{ kty: 'OKP', crv: 'X25519', x: b64(Buffer.alloc(32, 9)) }] }),
      'jwks.keys[0].crv',
    ],
    ['RSA, even', () => ({ keys: [rsa(Buffer.alloc(256, 0xc2))] }), 'jwks.keys[0].n'],
    [
      'AKP of an unknown algorithm',
      () => ({ keys: [{ kty: 'AKP', alg: 'x', pub: 'AA' }] }),
      'jwks.keys[0].alg',
    ],
    ['kid empty', () => ({ keys: [{ ...jwk, kid: '' }] }), 'jwks.keys[0].kid'],
    ['alg a number', () => ({ keys: [{ ...jwk, alg: 7 }] }), 'jwks.keys[0].alg'],
    ['use an array', () => ({ keys: [{ ...jwk, use: ['sig'] }] }), 'jwks.keys[0].use'],
    ['use boolean', () => ({ keys: [{ ...jwk, use: true }] }), 'jwks.keys[0].use'],
    ['x5c of numbers', () => ({ keys: [{ ...jwk, x5c: [1] }] }), 'jwks.keys[0].x5c'],
    [
      'one kid twice',
      () => ({
        keys: [
          { ...jwk, kid: 'x' },
          { ...jwk, kid: 'x' },
        ],
      }),
      'jwks.keys[1].kid',
    ],
  ];
  it.each(keyFaults)('%s: 400, and the member is named', async (_, jwks, member) => {
    const answer = await server.admin('POST', 'clients', {
      client_id: fresh(),
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: jwks(),
    });
    expect([
      answer.status,
      answer.body.member,
      answer.headers.get('content-type')?.split(';')[0],
    ]).toEqual([400, member, 'application/problem+json']);
  });

  const faults: readonly (readonly [string, object, string])[] = [
    ['an unknown member', { redirect_uris: ['https://a/#x'] }, 'redirect_uris'],
    ['a list with a number', { grant_types: [1] }, 'grant_types[0]'],
    ['an unknown grant type', { grant_types: ['password'] }, 'grant_types[0]'],
    ['an unknown method', { token_endpoint_auth_method: 'none' }, 'token_endpoint_auth_method'],
    ['private_key_jwt without keys', { token_endpoint_auth_method: 'private_key_jwt' }, 'jwks'],
    [
      'a jwks_uri of http',
      { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'http://client.example/jwks' },
      'jwks_uri',
    ],
    ['a short secret', { client_secret: 'short' }, 'client_secret'],
    ['scope with two spaces', { scope: 'a  b' }, 'scope'],
    ['disabled as text', { disabled: 'true' }, 'disabled'],
    ['a null', { client_name: null }, 'client_name'],
    ['a client_id with a space', { client_id: 'a b' }, 'client_id'],
    ['a client_id that is a dot segment', { client_id: '.' }, 'client_id'],
    [
      'a client_id of two dots, by which jku would name the keys of the server',
      { client_id: '..' },
      'client_id',
    ],
  ];
  it.each(faults)('%s: 400, and the member is named', async (_, body, member) => {
    const answer = await server.admin('POST', 'clients', body);
    expect([answer.status, answer.body.member]).toEqual([400, member]);
  });

  it.each([
    ['null', 'null', {}, 400],
    ['an array', '[]', {}, 400],
    ['no JSON', '{', {}, 400],
    ['one with a member twice', '{"client_name":"a","client_name":"b"}', {}, 400],
    [
      'one with a member twice, deep inside',
      '{"jwks":{"keys":[{"kty":"EC","kty":"RSA"}]}}',
      {},
      400,
    ],
    ['one whose member is constructor', '{"constructor":{"prototype":{"x":1}}}', {}, 400],
    ['no UTF-8', Buffer.from('{"client_name":"\xff"}', 'latin1'), {}, 400],
    ['empty', '', {}, 400],
    ['a member twice or __proto__', '{"__proto__":{"x":1}}', {}, 400],
    ['10,000 levels', `{"jwks":{"keys":[${'['.repeat(10_000)}${']'.repeat(10_000)}]}}`, {}, 400],
    ['another content type', '{}', { 'content-type': 'application/json garbage' }, 415],
    ['a content type with a tab', '{}', { 'content-type': 'application/json\ta' }, 415],
    ['text', '{}', { 'content-type': 'text/plain' }, 415],
    ['larger than 256 KiB', JSON.stringify({ client_name: 'x'.repeat(300_000) }), {}, 413],
  ] as const)('a body that is %s is refused', async (_, body, headers, status) => {
    const answer = await server.admin('POST', 'clients', body, headers);
    expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([
      status,
      'application/problem+json',
    ]);
  });
});

it('a body without a content type is refused with the field to send', async () => {
  const server = await testServer();
  const type = { 'content-type': 'application/octet-stream' };
  const { status, body } = await server.admin('POST', 'clients', '{}', type);
  expect([status, body.detail]).toEqual([
    415,
    'send the body as JSON, with Content-Type: application/json',
  ]);
  await server.stop();
});

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'lists on $name',
  (kind) => {
    let server: TestServer;
    beforeAll(async () => {
      server = await testServer({ kind });
    });
    afterAll(async () => server.stop());
    it('go from page to page and never beyond the maximum', async () => {
      for (let index = 0; index < 5; index++)
        await server.admin('POST', 'clients', {
          client_id: `page-${index}`,
          client_name: 'Paged Client',
        });
      const seen: string[] = [];
      let cursor: string | null = '';
      do {
        const { body } = await server.admin(
          'GET',
          `clients?client_name=paged&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
        );
        expect(body.items.length).toBeLessThanOrEqual(2);
        seen.push(...(body.items as { client_id: string }[]).map(({ client_id }) => client_id));
        cursor = body.next_cursor as string | null;
      } while (cursor !== null);
      expect(seen).toEqual(['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
      expect(
        (await server.admin('GET', 'clients?limit=1000000')).body.items.length,
      ).toBeLessThanOrEqual(200);
    });
    it('of parallel registrations under one name one stands, and of parallel changes of one version one', async () => {
      const created = await Promise.all(
        Array.from({ length: 8 }, async () =>
          server.admin('POST', 'clients', { client_id: 'contested' }),
        ),
      );
      expect(created.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
        201,
        ...Array.from({ length: 7 }, () => 409),
      ]);
      const match = {
        'if-match': String(created.find(({ status }) => status === 201)?.headers.get('etag')),
      };
      const changed = await Promise.all(
        Array.from({ length: 8 }, async (_, index) =>
          server.admin('PUT', 'clients/contested', { client_name: `name ${index}` }, match),
        ),
      );
      expect(changed.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
        200,
        ...Array.from({ length: 7 }, () => 412),
      ]);
      const { client_name } = changed.find(({ status }) => status === 200)?.body ?? {};
      expect((await server.admin('GET', 'clients/contested')).body.client_name).toBe(client_name);
    });
    it('an unusable limit or cursor is refused by name', async () => {
      for (const query of [
        'limit=x',
        'limit=0',
        'limit=-1',
        'limit=',
        'limit=1e2',
        'limit=0x10',
        'limit=1&limit=2',
      ])
        expect((await server.admin('GET', `clients?${query}`)).body.member).toBe('limit');
    });
  },
);

describe('what is asked for twice', () => {
  it.each(['client_name=a&client_name=b', 'name=a&name=b', 'cursor=a&cursor=b'])(
    '%s: 400, and the parameter is named',
    async (query) => {
      const { status, body } = await server.admin('GET', `clients?${query}`);
      expect([status, body.member]).toEqual([400, query.slice(0, query.indexOf('='))]);
    },
  );
});

describe('resource servers', () => {
  it('are answered with an id, and unique by audience', async () => {
    const { status, body } = await server.admin('POST', 'resource-servers', {
      audience,
      name: 'API',
      scopes: ['read'],
      cnf_methods_supported: ['jwk', 'jkt'],
    });
    expect([status, body]).toMatchObject([
      201,
      {
        id: expect.any(String),
        audience,
        cnf_methods_supported: ['jwk', 'jkt'],
        access_token_signing_alg: 'ES256',
      },
    ]);
    expect((await server.admin('POST', 'resource-servers', { audience })).status).toBe(409);
    expect((await server.admin('GET', `resource-servers/${body.id}`)).body).toMatchObject({
      audience,
    });
  });
  it.each([
    ['a relative audience', { audience: '/x' }, 'audience'],
    [
      'an origin with the default port',
      { audience: 'https://b.example', origins: ['https://a.example:443'] },
      'origins',
    ],
    ['no origin', { audience: 'https://b.example', origins: [] }, 'origins'],
    ['an unknown mode', { audience: 'https://b.example', gateway_mode: 'off' }, 'gateway_mode'],
    ['an audience with a fragment', { audience: 'https://a.example/#x' }, 'audience'],
    ['no audience', {}, 'audience'],
    [
      'an unknown method',
      { audience: 'https://b.example', cnf_methods_supported: ['x'] },
      'cnf_methods_supported[0]',
    ],
    [
      'no method',
      { audience: 'https://b.example', cnf_methods_supported: [] },
      'cnf_methods_supported',
    ],
    [
      'a method twice',
      { audience: 'https://b.example', cnf_methods_supported: ['jkt', 'jkt'] },
      'cnf_methods_supported',
    ],
    [
      'an endless lifetime',
      { audience: 'https://b.example', access_token_lifetime: 1e9 },
      'access_token_lifetime',
    ],
    [
      'a symmetric algorithm',
      { audience: 'https://b.example', access_token_signing_alg: 'HS256' },
      'access_token_signing_alg',
    ],
  ])('%s: 400, and the member is named', async (_, body, member) => {
    const answer = await server.admin('POST', 'resource-servers', body);
    expect([answer.status, answer.body.member]).toEqual([400, member]);
  });
});

describe('origins at which gateways serve', () => {
  it.each([
    'http://api.example.com',
    'https://api.example.com/',
    'https://api.example.com/path',
    'https://user@api.example.com',
    'https://API.example.com',
    'https://api.example.com?x',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    '*',
    'null',
  ])('%s is none: 400, and the member is named', async (origin) => {
    const { status, body } = await server.admin('POST', 'resource-servers', {
      audience: 'https://b.example',
      origins: ['https://ok.example', origin],
    });
    expect([status, body.member]).toEqual([400, 'origins[1]']);
  });
});

describe('other methods', () => {
  it.each([
    ['PUT', 'clients'],
    ['DELETE', 'clients'],
    ['POST', 'clients/x'],
    ['POST', 'openapi.json'],
  ])('%s %s: 405 with Allow', async (method, path) => {
    const answer = await server.admin(method, path, method === 'DELETE' ? undefined : {});
    expect([answer.status, answer.headers.get('allow') !== null]).toEqual([405, true]);
  });
});
