import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { basic, issuer } from '../support/server.ts';
import {
  type Asked,
  assertionForm,
  audience,
  clientSecret,
  outcomeOf,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const cc = { grant_type: 'client_credentials' };

let fixture: TokenEndpointFixture;
beforeAll(async () => {
  fixture = await tokenEndpointFixture();
  await fixture.server.admin('POST', 'clients', {
    client_id: 'limited',
    client_secret: clientSecret,
    scope: 'read openid',
    resources: [audience],
  });
});
afterAll(async () => fixture.server.stop());
const bound = () => `200 ${fixture.key.jkt}`;

describe('RFC 6749 §3.2, §4.4, RFC 8707: the form', () => {
  const rows: readonly (readonly [string, Asked, string])[] = [
    ['a granted scope', { form: { ...cc, scope: 'read' } }, 'bound'],
    ['an empty scope counts as omitted', { form: { ...cc, scope: '' } }, 'bound'],
    ['the resource', { form: { ...cc, resource: audience } }, 'bound'],
    [
      'an unknown parameter, even twice',
      { form: `${'grant_type=client_credentials'}&foo=1&foo=2` },
      'bound',
    ],
    [
      '__proto__ and constructor as names',
      { form: 'grant_type=client_credentials&__proto__[x]=1&constructor=2&__proto__=3' },
      'bound',
    ],
    [
      'charset in the content type',
      { fields: [['content-type', 'application/x-www-form-urlencoded; charset=UTF-8']] },
      'bound',
    ],
    ['no grant_type', { form: {} }, '400 invalid_request'],
    ['an empty grant_type', { form: { grant_type: '' } }, '400 invalid_request'],
    ['a grant_type of blanks', { form: 'grant_type=%20%20' }, '400 invalid_request'],
    [
      'a grant_type with a blank before it',
      { form: 'grant_type=%20client_credentials' },
      '400 unsupported_grant_type',
    ],
    [
      'a grant_type in capitals',
      { form: 'grant_type=CLIENT_CREDENTIALS' },
      '400 unsupported_grant_type',
    ],
    ['a name in capitals', { form: 'Grant_Type=client_credentials' }, '400 invalid_request'],
    ['a name as a list', { form: 'grant_type[]=client_credentials' }, '400 invalid_request'],
    ['a percent-encoded name', { form: '%67rant_type=client_credentials' }, 'bound'],
    [
      'pairs without a name, and none at all',
      { form: '&grant_type=client_credentials&&=x' },
      'bound',
    ],
    [
      'a semicolon is no separator',
      { form: 'grant_type=client_credentials;scope=read' },
      '400 unsupported_grant_type',
    ],
    [
      'a zero octet',
      { form: 'grant_type=client_credentials&scope=read%00' },
      '400 invalid_request',
    ],
    [
      'a scope that is not ASCII',
      { form: 'grant_type=client_credentials&scope=r%C3%A9ad' },
      '400 invalid_scope',
    ],
    [
      'a scope with a blank around it',
      { form: 'grant_type=client_credentials&scope=+read' },
      '400 invalid_scope',
    ],
    ['a scope of blanks', { form: 'grant_type=client_credentials&scope=+' }, '400 invalid_scope'],
    [
      'an empty resource counts as omitted',
      { form: 'grant_type=client_credentials&resource=' },
      'bound',
    ],
    [
      'the resource with a slash more',
      { form: { ...cc, resource: `${audience}/` } },
      '400 invalid_target',
    ],
    [
      'the resource in capitals',
      { form: { ...cc, resource: audience.toUpperCase() } },
      '400 invalid_target',
    ],
    ['no body', { form: '' }, '400 invalid_request'],
    ['grant_type password', { form: { grant_type: 'password' } }, '400 unsupported_grant_type'],
    [
      'grant_type refresh_token',
      { form: { grant_type: 'refresh_token', refresh_token: 'x' } },
      '400 unsupported_grant_type',
    ],
    ['a scope of nobody', { form: { ...cc, scope: 'admin' } }, '400 invalid_scope'],
    [
      'a scope of the resource server that the client has not',
      { form: { ...cc, scope: 'write' } },
      '400 invalid_scope',
    ],
    ['one good scope and one bad', { form: { ...cc, scope: 'read admin' } }, '400 invalid_scope'],
    ['scope with two spaces', { form: { ...cc, scope: 'read  read' } }, '400 invalid_scope'],
    ['scope with a quote', { form: { ...cc, scope: 'read"' } }, '400 invalid_scope'],
    [
      'scope openid, though registered',
      { authorization: basic('limited', clientSecret), form: { ...cc, scope: 'openid' } },
      '400 invalid_scope',
    ],
    [
      'an unknown resource',
      { form: { ...cc, resource: 'https://nobody.example.com' } },
      '400 invalid_target',
    ],
    ['a relative resource', { form: { ...cc, resource: '/api' } }, '400 invalid_target'],
    [
      'a resource with a fragment',
      { form: { ...cc, resource: `${audience}#x` } },
      '400 invalid_target',
    ],
    [
      'two resources',
      { form: `grant_type=client_credentials&resource=${audience}&resource=https://b.example` },
      '400 invalid_target',
    ],
    [
      'one resource twice',
      { form: `grant_type=client_credentials&resource=${audience}&resource=${audience}` },
      '400 invalid_request',
    ],
    [
      'bytes that are no UTF-8',
      { form: 'grant_type=client_credentials&scope=%ff' },
      '400 invalid_request',
    ],
    [
      'a percent sign that encodes nothing',
      { form: 'grant_type=client_credentials&scope=%zz' },
      '400 invalid_request',
    ],
    [
      'JSON',
      { form: JSON.stringify(cc), fields: [['content-type', 'application/json']] },
      '400 invalid_request',
    ],
    [
      'text',
      { form: 'grant_type=client_credentials', fields: [['content-type', 'text/plain']] },
      '400 invalid_request',
    ],
    [
      'a malformed content type',
      { form: '{}', fields: [['content-type', 'application/json\ta']] },
      '400 invalid_request',
    ],
    [
      'the content type in capitals',
      { fields: [['content-type', 'APPLICATION/X-WWW-FORM-URLENCODED']] },
      'bound',
    ],
    [
      'a content type that only begins like it',
      { fields: [['content-type', 'application/x-www-form-urlencodedx']] },
      '400 invalid_request',
    ],
    [
      'garbage behind the content type',
      { fields: [['content-type', 'application/x-www-form-urlencoded garbage']] },
      '400 invalid_request',
    ],
    [
      'multipart',
      { fields: [['content-type', 'multipart/form-data; boundary=x']] },
      '400 invalid_request',
    ],
    [
      'a body of 100 kB',
      { form: `grant_type=client_credentials&foo=${'x'.repeat(100_000)}` },
      '400 invalid_request',
    ],
    ['GET', { method: 'GET' }, '405 invalid_request'],
    ['PUT', { method: 'PUT' }, '405 invalid_request'],
    ['DELETE', { method: 'DELETE' }, '405 invalid_request'],
    ['PATCH', { method: 'PATCH' }, '405 invalid_request'],
  ];
  it.each(rows)('%s', async (_, asked, expected) => {
    expect(await fixture.outcome(asked)).toBe(expected === 'bound' ? bound() : expected);
  });

  it.each(
    [
      'grant_type scope client_id client_secret client_assertion client_assertion_type req_cnf req_alt_cnf',
      'subject_token subject_token_type actor_token actor_token_type requested_token_type audience token token_type_hint',
      // Of grants that are not spoken here: sent twice they are refused all the same.
      'code redirect_uri code_verifier refresh_token username password assertion device_code authorization_details',
    ].flatMap((names) => names.split(' ')),
  )('a second %s is refused, whatever its value', async (name) => {
    const outcomes: string[] = [];
    for (const pair of ['x&x', 'x&y', '&', 'x&', '&x']) {
      const [first, second] = pair.split('&');
      outcomes.push(
        await fixture.outcome({
          form: `${name === 'grant_type' ? '' : 'grant_type=client_credentials&'}${name}=${first}&${name}=${second}`,
        }),
      );
    }
    expect(new Set(outcomes)).toEqual(new Set(['400 invalid_request']));
  });
});

describe('RFC 9068 §2, RFC 6749 §5: the token and the answer', () => {
  it('has every required claim, and nothing of a refresh token', async () => {
    const { status, headers, body } = await fixture.send({ form: { ...cc, scope: 'read' } });
    const answer = JSON.parse(body) as Record<string, unknown>;
    expect([status, headers['content-type'], headers['cache-control'], headers['pragma']]).toEqual([
      200,
      'application/json; charset=utf-8',
      'no-store',
      'no-cache',
    ]);
    expect(answer).toEqual({
      access_token: expect.any(String),
      token_type: 'DPoP',
      expires_in: expect.any(Number),
      scope: 'read',
    });
    const token = String(answer['access_token']);
    expect(decodeProtectedHeader(token)).toEqual({
      typ: 'at+jwt',
      alg: 'ES256',
      kid: expect.any(String),
    });
    expect(decodeJwt(token)).toEqual({
      iss: issuer,
      aud: audience,
      sub: 'app',
      client_id: 'app',
      scope: 'read',
      iat: seconds,
      exp: seconds + Number(answer['expires_in']),
      jti: expect.stringMatching(/^[\w-]{22,}$/),
      cnf: { jkt: fixture.key.jkt },
    });
    expect(token.length).toBeLessThan(1500);
  });

  it('names the scope that was granted when none was asked for', async () => {
    expect(JSON.parse((await fixture.send()).body)).toMatchObject({ scope: 'read' });
  });

  it('errors say nothing of the inside and are not cached', async () => {
    const { headers, body } = await fixture.send({ form: { ...cc, scope: 'admin' } });
    expect([headers['cache-control'], headers['server'], headers['x-powered-by']]).toEqual([
      'no-store',
      undefined,
      undefined,
    ]);
    expect(Object.keys(JSON.parse(body) as object)).toEqual(['error', 'error_description']);
    expect(body).not.toMatch(/node_modules|\.ts|select |Error:/);
  });

  it('100 clients at once, each with its own key, each get their own', async () => {
    const keys = await Promise.all(Array.from({ length: 100 }, async () => testKey()));
    const outcomes = await Promise.all(
      keys.map(async (key) => fixture.outcome({ dpop: await key.proof() })),
    );
    expect(outcomes).toEqual(keys.map(({ jkt }) => `200 ${jkt}`));
  });

  it.each(['RS256', 'PS256', 'EdDSA', 'Ed25519', 'ML-DSA-65'])(
    'signed by %s where the resource server asks for it',
    async (alg) => {
      const name = `https://${alg.toLowerCase()}.example.com`;
      expect(
        (
          await fixture.server.admin('POST', 'resource-servers', {
            audience: name,
            access_token_signing_alg: alg,
          })
        ).status,
      ).toBe(201);
      const { access_token: token } = JSON.parse(
        (await fixture.send({ form: { ...cc, resource: name } })).body,
      ) as { access_token: string };
      const { createLocalJWKSet, jwtVerify } = await import('jose');
      const { body: jwks } = await fixture.server.get('/jwks');
      const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), {
        issuer,
        audience: name,
        typ: 'at+jwt',
        currentDate: new Date(seconds * 1000),
      });
      expect(protectedHeader.alg).toBe(alg);
      await fixture.server.admin(
        'DELETE',
        `resource-servers/${((await fixture.server.admin('GET', `resource-servers?name=`)).body.items as { id: string; audience: string }[]).find((item) => item.audience === name)?.id}`,
      );
    },
  );
});

describe('RFC 9201 §3.1 (as the design profiles it): req_cnf', () => {
  const name = 'https://jwk.example.com';
  let signerKey: TokenEndpointFixture['key'];
  beforeAll(async () => {
    signerKey = fixture.key;
    await fixture.server.admin('POST', 'resource-servers', {
      audience: name,
      cnf_methods_supported: ['jwk'],
    });
  });
  const ask = async (reqCnf: unknown, more: Asked = {}) =>
    fixture.outcome({
      ...more,
      form: {
        ...cc,
        resource: audience,
        req_cnf: typeof reqCnf === 'string' ? reqCnf : JSON.stringify(reqCnf),
      },
    });

  it('the proven key by jwk or jkt', async () => {
    const { jwk, jkt } = fixture.key;
    expect([await ask({ jwk }), await ask({ jkt })]).toEqual([bound(), bound()]);
  });
  it('a registered key by kid', async () => {
    const form = assertionForm(await signerKey.assertion('signer'), {
      resource: audience,
      req_cnf: '{"kid":"registered"}',
    });
    expect(await fixture.outcome({ authorization: null, form })).toBe(bound());
  });
  it('cnf.jwk is exactly the public members of the key', async () => {
    const { body } = await fixture.send({
      form: {
        ...cc,
        resource: name,
        req_cnf: JSON.stringify({ jwk: { ...fixture.key.jwk, kid: 'x', use: 'sig' } }),
      },
    });
    const { access_token: token } = JSON.parse(body) as { access_token: string };
    expect(decodeJwt(token)['cnf']).toEqual({ jwk: fixture.key.jwk });
    expect(outcomeOf({ status: 200, headers: {}, body })).toBe('200 jwk');
  });

  const faults: readonly (readonly [string, unknown, string])[] = [
    ['not JSON', '[', '400 invalid_request'],
    ['an array', '[]', '400 invalid_request'],
    ['a string', '"x"', '400 invalid_request'],
    ['null', 'null', '400 invalid_request'],
    ['no member', '{}', '400 invalid_request'],
    ['a member twice', '{"jkt":"x","jkt":"y"}', '400 invalid_request'],
    ['two members', { jkt: 'x', kid: 'y' }, '400 invalid_request'],
    [
      'x5t#S256 as text',
      { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' },
      '400 invalid_request',
    ],
    ['jku', { jku: 'https://client.example/jwks', kid: 'x' }, '400 invalid_request'],
    ['deeply nested', `{"jwk":${'['.repeat(5000)}${']'.repeat(5000)}}`, '400 invalid_request'],
    ['an unknown kid', { kid: 'nope' }, '400 unsupported_pop_key'],
    ["another client's kid", { kid: 'registered' }, '400 unsupported_pop_key'],
    ['a key without substance', { jwk: { kty: 'AKP' } }, '400 unsupported_pop_key'],
  ];
  it.each(faults)('%s', async (_, reqCnf, expected) => {
    expect(await ask(reqCnf)).toBe(expected);
  });
  it('a private or symmetric key is refused and nowhere in the log', async () => {
    const outcomes = [
      await ask({ jwk: { ...fixture.key.jwk, d: 'very-private' } }),
      await ask({ jwk: { kty: 'oct', k: 'very-private' } }),
    ];
    expect(outcomes).toEqual(['400 invalid_request', '400 invalid_request']);
    expect(JSON.stringify(fixture.server.logs)).not.toContain('very-private');
  });
  it('another key than the proven one: failed_pop_verification', async () => {
    const { jwk, jkt } = await testKey();
    expect([await ask({ jwk }), await ask({ jkt })]).toEqual([
      '400 failed_pop_verification',
      '400 failed_pop_verification',
    ]);
  });
  it('a key without any proof: invalid_request or failed_pop_verification, never a token', async () => {
    expect(await ask({ jwk: fixture.key.jwk }, { dpop: null })).toMatch(
      /^400 (invalid_request|failed_pop_verification)$/,
    );
  });
});
