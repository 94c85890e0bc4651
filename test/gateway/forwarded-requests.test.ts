import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  apiOrigin,
  type GatewayFixture,
  gatewayFixture,
  gatewayForms,
  gatewayToken,
  type Question,
} from '../support/gateway.ts';
import { testKey } from '../support/keys.ts';
import { startOfTime } from '../support/server.ts';

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await gatewayFixture();
});
afterAll(async () => fixture.server.stop());

describe.each(gatewayForms)('a request that a gateway forwards by /%s', (form) => {
  const ask = async (question: Question = {}) => fixture.ask({ form, ...question });
  const outcome = async (question: Question = {}) => fixture.outcome({ form, ...question });

  it('is let in with token and proof, and the upstream is told whose it is', async () => {
    const { status, headers } = await ask({ scope: 'read' });
    expect([status, headers]).toMatchObject([
      200,
      {
        'holdfast-subject': 'app',
        'holdfast-client-id': 'app',
        'holdfast-presenter': 'app',
        'holdfast-scope': 'read',
        'holdfast-key': fixture.key.jkt,
        'holdfast-token-id': expect.stringMatching(/^[\w-]{16,}$/),
        'cache-control': 'no-store',
      },
    ]);
    expect(headers).not.toHaveProperty('holdfast-assertion');
    expect(headers).not.toHaveProperty('holdfast-would-refuse');
  });

  it.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])(
    'is let in by the method %s',
    async (method) => {
      expect(await outcome({ method })).toBe('200 app');
    },
  );

  it.each<[string, () => Promise<Question>, string]>([
    ['no token', async () => ({ token: '', dpop: null }), '401 access_token_missing'],
    ['no proof', async () => ({ dpop: null }), '401 token_as_bearer'],
    [
      'a stolen token as a bearer token',
      async () => ({ scheme: 'Bearer', dpop: null }),
      '401 token_as_bearer',
    ],
    [
      'a proof with a bearer token',
      async () => ({ scheme: 'Bearer' }),
      '401 proof_of_other_scheme',
    ],
    ['Basic credentials', async () => ({ scheme: 'Basic' }), '401 access_token_missing'],
    ['a token that is none', async () => ({ token: 'x.y.z' }), '401 token_inactive'],
    ['a token with a space', async () => ({ token: 'x y' }), '401 authorization_malformed'],
    [
      'two tokens',
      async () => ({ fields: [['Authorization', 'DPoP x']] }),
      // Node joins them for nobody: the raw fields count.
      '401 authorization_repeated',
    ],
    ['two proofs', async () => ({ dpop: ['x', 'y'] }), '401 proof_header_repeated'],
    ['a proof that is none', async () => ({ dpop: 'x' }), '401 proof_malformed'],
    [
      'a proof by another key',
      async () => {
        const token = await fixture.token(await testKey());
        return { token, dpop: await fixture.proof(token) };
      },
      '401 key_mismatch',
    ],
    [
      'a proof for another token',
      async () => ({ dpop: await fixture.proof(await fixture.token(await testKey())) }),
      '401 proof_ath_mismatch',
    ],
    [
      'a proof for another method',
      async () => {
        const token = await fixture.token();
        return { token, dpop: await fixture.proof(token, undefined, 'DELETE') };
      },
      '401 proof_htm_mismatch',
    ],
    [
      'a proof for another path',
      async () => {
        const token = await fixture.token();
        return { token, dpop: await fixture.proof(token, `${apiOrigin}/thing`) };
      },
      '401 proof_htu_mismatch',
    ],
    [
      'a proof for another host, which Host claims',
      async () => ({ url: 'https://evil.example.com/things' }),
      '403 gateway_origin_unlisted',
    ],
    [
      'a proof for another port, which Host claims',
      async () => ({ url: `${apiOrigin}:8443/things` }),
      '403 gateway_origin_unlisted',
    ],
    [
      'a proof that is too old',
      async () => {
        const token = await fixture.token();
        const iat = startOfTime / 1000 - 61;
        return { token, dpop: await fixture.proof(token, undefined, undefined, { iat }) };
      },
      '401 proof_iat_too_old',
    ],
    ['a scope that the token lacks', async () => ({ scope: 'read write' }), '403 scope_missing'],
  ])('%s is refused', async (_name, question, expected) => {
    expect(await outcome(await question())).toBe(expected);
  });

  it('a proof counts once, and so it does where introspection sees it', async () => {
    const token = await fixture.token();
    const dpop = await fixture.proof(token);
    expect(await outcome({ token, dpop })).toBe('200 app');
    for (const other of gatewayForms)
      expect(await fixture.outcome({ form: other, token, dpop })).toBe('401 proof_replayed');
  });

  it('a proof is not spent where the scope is missing', async () => {
    const token = await fixture.token();
    const dpop = await fixture.proof(token);
    expect(await outcome({ token, dpop, scope: 'write' })).toBe('403 scope_missing');
    expect(await outcome({ token, dpop })).toBe('200 app');
  });

  it('RFC 9449 §7.1: a refusal challenges with the algorithms of proofs and the error', async () => {
    const { status, headers, body } = await ask({ dpop: null });
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toMatch(
      /^DPoP algs="ES256 [\w -]+", error="invalid_token", error_description="[^"]+", Bearer error="invalid_token", /,
    );
    expect(JSON.parse(body)).toMatchObject({ error: 'invalid_token' });
  });

  it('RFC 6750 §3.1: without a token the challenge names no error', async () => {
    const { headers } = await ask({ token: '', dpop: null });
    expect(headers['www-authenticate']).toMatch(/^DPoP algs="[\w -]+", Bearer$/);
  });

  it('RFC 6750 §3.1: a scope that is missing is named', async () => {
    const { status, headers } = await ask({ scope: 'write' });
    expect([status, headers['www-authenticate']]).toEqual([
      403,
      expect.stringContaining('error="insufficient_scope"'),
    ]);
    expect(headers['www-authenticate']).toContain('scope="write"');
  });

  it.each<[string, Question]>([
    ['no gateway token', { without: ['Holdfast-Gateway-Token'] }],
    [
      'another gateway token',
      { without: ['Holdfast-Gateway-Token'], fields: [['Holdfast-Gateway-Token', 'x'.repeat(32)]] },
    ],
    ['the gateway token twice', { fields: [['Holdfast-Gateway-Token', gatewayToken]] }],
  ])('%s: 403, and nothing is looked at', async (_name, more) => {
    expect(await outcome(more)).toBe('403 gateway_token_mismatch');
  });

  it("a body and its coding are the client's, and mean nothing", async () => {
    const fields = [
      ['Content-Type', 'application/octet-stream'],
      ['Content-Encoding', 'gzip'],
    ] as const;
    expect(await outcome({ method: 'POST', fields, body: 'hello' })).toBe('200 app');
    // The connection of the gateway goes on.
    expect(await outcome({ method: 'POST', fields, body: 'x'.repeat(100_000) })).toBe('200 app');
  });
});

describe('the fields of one form', () => {
  const ofForm = {
    'forward-auth': [
      ['X-Forwarded-Method', 'GET'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'api.example.com'],
      ['X-Forwarded-Uri', '/things'],
    ],
    'auth-request': [
      ['X-Original-Method', 'GET'],
      ['X-Original-URL', `${apiOrigin}/things`],
    ],
    'ext-authz': [],
  } as const;
  const once = gatewayForms.flatMap((form) =>
    ofForm[form].map(([name, value]) => ({ form, name, value })),
  );

  it.each(once)('$name is needed by /$form', async ({ form, name }) => {
    expect(await fixture.outcome({ form, without: [name] })).toBe('403 gateway_fields_invalid');
  });
  it.each(once)('$name is refused by /$form when a client adds its own', async (row) => {
    const { form, name, value } = row;
    const fields = [[name, value]] as const;
    expect(await fixture.outcome({ form, fields })).toBe('403 gateway_fields_invalid');
  });
  it.each([
    ['Holdfast-Required-Scope', 'read'],
    ['Holdfast-Want-Assertion', 'true'],
    ['Holdfast-Read-Certificate', 'true'],
  ] as const)('%s twice is refused by /ext-authz', async (name, value) => {
    const fields = [
      [name, value],
      [name, value],
    ] as const;
    expect(await fixture.outcome({ form: 'ext-authz', fields })).toBe('403 gateway_fields_invalid');
  });
  it.each(gatewayForms)('of the others are not read by /%s', async (form) => {
    const fields = gatewayForms
      .filter((other) => other !== form)
      .flatMap((other) => ofForm[other].map(([name]) => [name, 'https://evil.example'] as const));
    expect(await fixture.outcome({ form, fields })).toBe('200 app');
  });

  it.each([
    ['ftp', 'api.example.com', '/'],
    ['HTTPS', 'api.example.com', '/'],
    ['https', 'user@api.example.com', '/'],
    ['https', 'evil.example/', '/'],
    ['https', 'api.example.com#', '/'],
    ['https', 'api.example.com?', '/'],
    ['https', 'api.example.com\\', '/'],
    ['https', '', '/'],
    ['https', 'api.example.com', 'https://api.example.com/'],
    ['https', 'api.example.com', '*'],
    ['https', 'api.example.com', ''],
    ['https', 'api.example.com', '/a\\b'],
    ['https', 'api.example.com', '/a#b'],
    ['https', 'api.example.com', '/a b'],
  ])('%s, %s, %s are no parts of a URI', async (proto, host, uri) => {
    const fields = [
      ['X-Forwarded-Proto', proto],
      ['X-Forwarded-Host', host],
      ['X-Forwarded-Uri', uri],
    ] as const;
    const without = fields.map(([name]) => name);
    expect(await fixture.outcome({ form: 'forward-auth', without, fields })).toBe(
      '403 gateway_fields_invalid',
    );
  });
  it.each(['G,T', 'GET POST', '', 'x'.repeat(33)])('%j is no method', async (method) => {
    const fields = [['X-Original-Method', method]] as const;
    const without = ['X-Original-Method'];
    expect(await fixture.outcome({ without, fields })).toBe('403 gateway_fields_invalid');
  });
});

describe('the query of a gateway', () => {
  it.each([
    ['scope=read', 'gateway_parameters_invalid'],
    ['audience=a&audience=b', 'gateway_parameters_invalid'],
    [`audience=${apiOrigin}&scope=read&scope=`, 'gateway_parameters_invalid'],
    [`audience=${apiOrigin}&scopes=write`, 'gateway_parameters_invalid'],
    [`audience=${apiOrigin}&assertion=1`, 'gateway_parameters_invalid'],
    [`audience=${apiOrigin}&certificate=`, 'gateway_parameters_invalid'],
    [`audience=${apiOrigin}&certificate=true&certificate=true`, 'gateway_parameters_invalid'],
    [`audience=${apiOrigin}&scope=%22`, 'gateway_parameters_invalid'],
    ['', 'gateway_parameters_invalid'],
    ['audience=https://nobody.example.com', 'gateway_audience_unknown'],
  ])('%s: 403 %s', async (query, reason) => {
    for (const form of ['forward-auth', 'auth-request'] as const)
      expect(await fixture.outcome({ form, query })).toBe(`403 ${reason}`);
  });
  it('is none of /ext-authz: it is the one of the client', async () => {
    const url = `${apiOrigin}/things?audience=x&scope=write&audience=y`;
    expect(await fixture.outcome({ form: 'ext-authz', url })).toBe('200 app');
  });
});

describe('a path behind /ext-authz/{id}', () => {
  it.each(['/', '//x', '/a//b/../c', `/${'long/'.repeat(250)}`, '/a%2Fb?c=/d', '/ä'])(
    '%.20s is taken as it is',
    async (path) => {
      const url = `${apiOrigin}${encodeURI(decodeURI(path))}`;
      expect(await fixture.outcome({ form: 'ext-authz', url })).toBe('200 app');
    },
  );
});

describe('what is no question of a gateway', () => {
  it.each(['/', '/forward-auth/', '/ext-authz', '/ext-authz/x', '/token', '/admin/clients'])(
    '%s is refused',
    async (path) => {
      const response = await fetch(`${fixture.server.gatewayUrl}${path}`, {
        headers: { 'holdfast-gateway-token': gatewayToken },
      });
      expect(response.status).toBe(403);
    },
  );
  it('an unknown resource server is refused', async () => {
    const response = await fetch(`${fixture.server.gatewayUrl}/ext-authz/nobody/x`, {
      headers: { 'holdfast-gateway-token': gatewayToken },
    });
    expect(response.status).toBe(403);
  });
  it('the paths are not on the public listener', async () => {
    for (const path of ['/forward-auth?audience=x', '/auth-request?audience=x', '/ext-authz/x/y'])
      expect((await fixture.server.get(path)).status).toBe(404);
  });
});

describe('what introspection knows', () => {
  beforeEach(async () => {
    await fixture.server.admin('PATCH', 'clients/app', { disabled: false });
  });
  it('a revoked token is refused at once', async () => {
    const token = await fixture.token();
    expect(await fixture.outcome({ token })).toBe('200 app');
    const jti = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti;
    expect((await fixture.server.admin('DELETE', `tokens/${jti}`)).status).toBe(204);
    expect(await fixture.outcome({ token })).toBe('401 token_inactive');
  });
  it('a token of a disabled client is refused at once', async () => {
    const token = await fixture.token();
    await fixture.server.admin('PATCH', 'clients/app', { disabled: true });
    expect(await fixture.outcome({ token })).toBe('401 token_inactive');
  });
  it('a token for another resource server is refused', async () => {
    await fixture.server.admin('POST', 'resource-servers', {
      audience: 'https://second.example.com',
      origins: [apiOrigin],
    });
    const query = 'audience=https://second.example.com';
    expect(await fixture.outcome({ query })).toBe('401 token_inactive');
  });
  it('a resource server without origins is asked about in vain', async () => {
    await fixture.server.admin('POST', 'resource-servers', { audience: 'urn:no-origins' });
    expect(await fixture.outcome({ query: 'audience=urn:no-origins' })).toBe(
      '403 gateway_origins_missing',
    );
  });
});
