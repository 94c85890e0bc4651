import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyRsaKey, randomJti, type TestKey, testKey } from '../support/keys.ts';
import { basic, issuer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import {
  type Asked,
  assertionForm,
  clientSecret,
  craft,
  jwtBearer,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const cc = { grant_type: 'client_credentials' };
const wrong = 'w'.repeat(32);

let fixture: TokenEndpointFixture;
let other: TestKey;
beforeAll(async () => {
  fixture = await tokenEndpointFixture({ env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  other = await testKey();
  const admin = async (body: object) =>
    expect((await fixture.server.admin('POST', 'clients', body)).status).toBe(201);
  await admin({
    client_id: 'poster',
    client_secret: clientSecret,
    token_endpoint_auth_method: 'client_secret_post',
  });
  await admin({
    client_id: 'basic-only',
    client_secret: clientSecret,
    token_endpoint_auth_method: 'client_secret_basic',
  });
  await admin({ client_id: 'off', client_secret: clientSecret, disabled: true });
  await admin({ client_id: 'a b:c%+ä', client_secret: clientSecret }).catch(() => undefined);
});
afterAll(async () => fixture.server.stop());

describe('RFC 6749 §2.3.1: client_secret_basic and client_secret_post', () => {
  const bare = (text: string | Buffer): Asked => ({
    authorization: `Basic ${Buffer.from(text as string).toString('base64')}`,
  });
  const rows: readonly (readonly [string, Asked, string])[] = [
    ['Basic, right', {}, '200'],
    ['Basic, with the same client_id in the form', { form: { ...cc, client_id: 'app' } }, '200'],
    [
      'Basic, scheme in other case',
      { authorization: basic('app', clientSecret).replace('Basic', 'bAsIc') },
      '200',
    ],
    [
      'post, right',
      { authorization: null, form: { ...cc, client_id: 'poster', client_secret: clientSecret } },
      '200',
    ],
    ['Basic, wrong secret', { authorization: basic('app', wrong) }, '401 invalid_client'],
    ['Basic, unknown client', { authorization: basic('nobody', wrong) }, '401 invalid_client'],
    ['Basic, disabled client', { authorization: basic('off', clientSecret) }, '401 invalid_client'],
    ['Basic, no colon', bare('foo'), '401 invalid_client'],
    ['Basic, empty', bare(''), '401 invalid_client'],
    ['Basic, only a colon', bare(':'), '401 invalid_client'],
    ['Basic alone', { authorization: 'Basic' }, '401 invalid_client'],
    ['Basic, not base64', { authorization: 'Basic %%%' }, '401 invalid_client'],
    [
      'Basic, a percent sign that encodes nothing',
      bare('foo with %:foo with $'),
      '401 invalid_client',
    ],
    [
      'Basic, two blanks behind the scheme',
      { authorization: basic('app', clientSecret).replace(' ', '  ') },
      '200',
    ],
    [
      'Basic, every character percent-encoded',
      bare(`%61%70%70:${'%73'.repeat(clientSecret.length)}`),
      '200',
    ],
    ['Basic, a plus is a blank', bare(`app+:${clientSecret}`), '401 invalid_client'],
    [
      'Basic, bytes that are not UTF-8',
      bare(Buffer.from([0x61, 0xff, 0x3a, 0x61])),
      '401 invalid_client',
    ],
    ['Basic, percent-encoded bytes that are not UTF-8', bare('app:%ff'), '401 invalid_client'],
    ['Basic, no secret behind the colon', bare('app:'), '401 invalid_client'],
    [
      'Basic, something behind it',
      { authorization: `${basic('app', clientSecret)} x` },
      '401 invalid_client',
    ],
    [
      'Basic twice in one field',
      { authorization: `${basic('app', clientSecret)}, ${basic('app', clientSecret)}` },
      '401 invalid_client',
    ],
    ['an empty Authorization field', { authorization: '' }, '401 invalid_client'],
    ['another scheme', { authorization: 'Bearer x' }, '401 invalid_client'],
    [
      'post, wrong secret',
      { authorization: null, form: { ...cc, client_id: 'poster', client_secret: wrong } },
      '401 invalid_client',
    ],
    [
      'post, unknown client',
      { authorization: null, form: { ...cc, client_id: 'nobody', client_secret: wrong } },
      '401 invalid_client',
    ],
    [
      'post, empty secret',
      { authorization: null, form: { ...cc, client_id: 'poster', client_secret: '' } },
      '401 invalid_client',
    ],
    ['no credentials', { authorization: null }, '401 invalid_client'],
    [
      'a client_id alone',
      { authorization: null, form: { ...cc, client_id: 'app' } },
      '401 invalid_client',
    ],
    [
      'Basic by a client registered for post',
      { authorization: basic('poster', clientSecret) },
      '401 invalid_client',
    ],
    [
      'post by a client registered for Basic',
      {
        authorization: null,
        form: { ...cc, client_id: 'basic-only', client_secret: clientSecret },
      },
      '401 invalid_client',
    ],
    [
      'post by a client registered without a method',
      { authorization: null, form: { ...cc, client_id: 'app', client_secret: clientSecret } },
      '200',
    ],
    [
      'Basic and post by a client registered without a method',
      { form: { ...cc, client_id: 'app', client_secret: clientSecret } },
      '400 invalid_request',
    ],
    [
      'a secret by a client registered for private_key_jwt',
      { authorization: basic('signer', clientSecret) },
      '401 invalid_client',
    ],
    [
      'Basic and a secret in the form',
      { form: { ...cc, client_secret: clientSecret } },
      '400 invalid_request',
    ],
    [
      'Basic and an assertion',
      { form: { ...cc, client_assertion_type: jwtBearer, client_assertion: 'a.b.c' } },
      '400 invalid_request',
    ],
    [
      'Basic and another client_id in the form',
      { form: { ...cc, client_id: 'signer' } },
      '400 invalid_request',
    ],
    [
      'two Authorization header fields',
      { authorization: [basic('app', clientSecret), basic('app', clientSecret)] },
      '400 invalid_request',
    ],
    [
      'unknown grant_type with a wrong secret',
      { authorization: basic('app', wrong), form: { grant_type: 'x' } },
      '401 invalid_client',
    ],
  ];
  it.each(rows)('%s', async (_, asked, expected) => {
    expect(await fixture.outcome(asked)).toBe(
      expected === '200' ? `200 ${fixture.key.jkt}` : expected,
    );
  });

  it('unknown, wrong and disabled answer with the same words, and a challenge only where Basic was tried', async () => {
    const answers = await Promise.all([
      fixture.send({ authorization: basic('app', wrong) }),
      fixture.send({ authorization: basic('nobody', wrong) }),
      fixture.send({ authorization: basic('off', clientSecret) }),
    ]);
    const post = await fixture.send({
      authorization: null,
      form: { ...cc, client_id: 'poster', client_secret: wrong },
    });
    expect(new Set([...answers, post].map(({ body }) => body)).size).toBe(1);
    expect(answers.map(({ headers }) => headers['www-authenticate']?.startsWith('Basic '))).toEqual(
      [true, true, true],
    );
    expect(post.headers['www-authenticate']).toBeUndefined();
  });
});

describe('RFC 7523 §3 and rfc7523bis: private_key_jwt', () => {
  const claims = (change: object = {}) => ({
    iss: 'signer',
    sub: 'signer',
    aud: issuer,
    jti: randomJti(),
    iat: seconds,
    exp: seconds + 60,
    ...change,
  });
  const of = (change: object = {}, header: object = {}) =>
    craft({ alg: 'ES256', kid: 'registered', ...header }, claims(change), fixture.key);
  const accepted: readonly (readonly [string, () => string | Promise<string>])[] = [
    ['an ordinary assertion', () => of()],
    ['without kid', () => of({}, { kid: undefined })],
    ['typ JWT', () => of({}, { typ: 'JWT' })],
    ['typ client-authentication+jwt', () => of({}, { typ: 'client-authentication+jwt' })],
    ['without iat', () => of({ iat: undefined })],
    ['iat 30 s ahead', () => of({ iat: seconds + 30 })],
    ['typ in other case', () => of({}, { typ: 'Client-Authentication+JWT' })],
    ['typ with its prefix', () => of({}, { typ: 'application/client-authentication+jwt' })],
    ['typ JWT with its prefix (RFC 7515 §4.1.9)', () => of({}, { typ: 'application/JWT' })],
    ['exp with a fraction', () => of({ exp: seconds + 60.5 })],
    ['exp in 300 s', () => of({ exp: seconds + 300 })],
    ['unknown claims', () => of({ foo: { bar: [1] } })],
  ];
  it.each(accepted)('accepted: %s', async (_, make) => {
    expect(await fixture.outcome({ authorization: null, form: assertionForm(await make()) })).toBe(
      `200 ${fixture.key.jkt}`,
    );
  });

  const refused: readonly (readonly [string, () => string | Promise<string>])[] = [
    ...[
      [issuer, 'https://other.example'],
      [issuer],
      [issuer, null],
      [[issuer]],
      `${issuer}/token`,
      `${issuer}/par`,
      `${issuer}/`,
      'https://other.example',
      undefined,
    ].map((aud) => [`aud ${JSON.stringify(aud)}`, () => of({ aud })] as const),
    ...[undefined, '', 1, null, 'x'.repeat(257)].map(
      (jti) => [`jti ${JSON.stringify(jti)?.slice(0, 20)}`, () => of({ jti })] as const,
    ),
    ['no sub', () => of({ sub: undefined })],
    ['no iss', () => of({ iss: undefined })],
    ['iss of another', () => of({ iss: 'not the client' })],
    ['sub of another', () => of({ sub: 'app' })],
    ['iss and sub of a client without keys', () => of({ iss: 'app', sub: 'app' })],
    ['iss and sub unknown', () => of({ iss: 'nobody', sub: 'nobody' })],
    ...[undefined, seconds, seconds - 300, String(seconds + 60), null, seconds + 331, 1e308].map(
      (exp) => [`exp ${JSON.stringify(exp)}`, () => of({ exp })] as const,
    ),
    ...[seconds + 70, seconds - 301, 'now', null].map(
      (iat) => [`iat ${JSON.stringify(iat)}`, () => of({ iat })] as const,
    ),
    ...[seconds + 70, 'now'].map(
      (nbf) => [`nbf ${JSON.stringify(nbf)}`, () => of({ nbf })] as const,
    ),
    ...['at+jwt', 'dpop+jwt', 'secevent+jwt', 'logout+jwt', 1].map(
      (typ) => [`typ ${JSON.stringify(typ)}`, () => of({}, { typ })] as const,
    ),
    ['kid unknown', () => of({}, { kid: 'unknown' })],
    ['kid a path', () => of({}, { kid: '../../etc/passwd' })],
    ['kid a query', () => of({}, { kid: "' or 1=1 --" })],
    ['typ null', () => of({}, { typ: null })],
    ['iss and sub a list', () => of({ iss: ['signer'], sub: ['signer'] })],
    ['iss and sub empty', () => of({ iss: '', sub: '' })],
    ['iss and sub __proto__', () => of({ iss: '__proto__', sub: '__proto__' })],
    ['kid a number', () => of({}, { kid: 1 })],
    ['alg none', () => craft({ alg: 'none' }, claims(), () => Buffer.alloc(0))],
    ['alg HS256', () => of({}, { alg: 'HS256' })],
    ['signed by another key', () => craft({ alg: 'ES256', kid: 'registered' }, claims(), other)],
    [
      'signed by the key in its own header',
      () =>
        craft(
          {
            alg: 'ES256',
            jwk: other.jwk,
            jku: 'https://evil.example/jwks',
            x5u: 'https://evil.example',
          },
          claims(),
          other,
        ),
    ],
    ['no signature', () => of().replace(/[^.]+$/, '')],
    ['garbage', () => 'this.notatall.valid'],
    [
      'a JWE whose key derivation would take for ever',
      () =>
        `${Buffer.from('{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"p2s":"AAAAAAAAAAA"}').toString('base64url')}.AAAA.AAAA.AAAA.AAAA`,
    ],
    [
      'an access token of this server',
      async () =>
        (JSON.parse((await fixture.send()).body) as { access_token: string }).access_token,
    ],
    ['a DPoP proof', async () => fixture.key.proof()],
    ['an unknown crit', () => of({}, { crit: ['x'], x: 1 })],
    [
      'a member twice',
      () =>
        craft(
          JSON.stringify({ alg: 'ES256' }),
          JSON.stringify(claims()).replace('{', '{"aud":"https://other.example",'),
          fixture.key,
        ),
    ],
  ];
  it.each(refused)('refused: %s', async (_, make) => {
    expect(await fixture.outcome({ authorization: null, form: assertionForm(await make()) })).toBe(
      '401 invalid_client',
    );
  });

  it('from outside no client can be told from one that does not exist', async () => {
    await fixture.server.admin('POST', 'clients', {
      client_id: 'disabled-signer',
      disabled: true,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [fixture.key.jwk] },
    });
    await fixture.server.admin('POST', 'clients', {
      client_id: 'unreachable',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: 'https://127.0.0.1:1/jwks',
    });
    const bodies: string[] = [];
    for (const name of ['nobody', 'app', 'signer', 'disabled-signer', 'unreachable'])
      for (const header of [{}, { kid: 'unknown' }])
        bodies.push(
          (
            await fixture.send({
              authorization: null,
              form: assertionForm(await other.assertion(name, {}, header)),
            })
          ).body,
        );
    expect(new Set(bodies).size).toBe(1);
    const mistyped = ['nobody', 'signer'].map(async (name) =>
      fixture.send({
        authorization: null,
        form: assertionForm(await other.assertion(name, {}, { typ: 'at+jwt' })),
      }),
    );
    expect(new Set((await Promise.all(mistyped)).map(({ body }) => body)).size).toBe(1);
  });

  it('another client_assertion_type, or one half of the pair: invalid_request', async () => {
    const outcomes = [
      await fixture.outcome({
        authorization: null,
        form: { ...assertionForm(of()), client_assertion_type: 'urn:ietf:mycustom' },
      }),
      await fixture.outcome({
        authorization: null,
        form: { ...cc, client_assertion_type: jwtBearer },
      }),
      await fixture.outcome({ authorization: null, form: { ...cc, client_assertion: of() } }),
    ];
    expect(outcomes).toEqual(['400 invalid_request', '400 invalid_request', '400 invalid_request']);
  });

  it('a client_id beside the assertion must be the same', async () => {
    expect(
      await fixture.outcome({
        authorization: null,
        form: assertionForm(of(), { client_id: 'signer' }),
      }),
    ).toBe(`200 ${fixture.key.jkt}`);
    expect(
      await fixture.outcome({
        authorization: null,
        form: assertionForm(of(), { client_id: 'app' }),
      }),
    ).toBe('401 invalid_client');
  });

  it('a jti used before: invalid_client', async () => {
    const form = assertionForm(of());
    expect([
      await fixture.outcome({ authorization: null, form }),
      await fixture.outcome({ authorization: null, form }),
    ]).toEqual([`200 ${fixture.key.jkt}`, '401 invalid_client']);
  });

  it('keys rotate: both are good while both are registered, the old one not after its removal', async () => {
    const [old, next] = [await testKey(), await testKey()];
    const body = (keys: readonly TestKey[]) => ({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: keys.map(({ jwk }) => jwk) },
    });
    await fixture.server.admin('POST', 'clients', { client_id: 'rotating', ...body([old, next]) });
    const ask = async (key: TestKey) =>
      fixture.outcome({
        authorization: null,
        form: assertionForm(await key.assertion('rotating')),
      });
    expect([await ask(old), await ask(next)]).toEqual([
      `200 ${fixture.key.jkt}`,
      `200 ${fixture.key.jkt}`,
    ]);
    await fixture.server.admin('PUT', 'clients/rotating', body([next]));
    expect([await ask(old), await ask(next)]).toEqual([
      '401 invalid_client',
      `200 ${fixture.key.jkt}`,
    ]);
  });

  it('a header that has been seen to sign says nothing of the next assertion: signature, client and alg count every time', async () => {
    const mine = await testKey();
    const limited = {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'PS256',
      jwks: { keys: [mine.jwk] },
    };
    await fixture.server.admin('POST', 'clients', {
      client_id: 'mine',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [mine.jwk] },
    });
    await fixture.server.admin('POST', 'clients', { client_id: 'limited', ...limited });
    const ask = async (assertion: string) =>
      fixture.outcome({ authorization: null, form: assertionForm(assertion) });
    const header = { kid: randomJti() };
    await fixture.server.admin('PATCH', 'clients/mine', {
      jwks: { keys: [{ ...mine.jwk, ...header }] },
    });
    expect(await ask(await mine.assertion('mine', {}, header))).toBe(`200 ${fixture.key.jkt}`);
    expect([
      await ask(await other.assertion('mine', {}, header)),
      await ask(await mine.assertion('signer', {}, header)),
      await ask(await mine.assertion('limited', {}, header)),
    ]).toEqual(Array(3).fill('401 invalid_client'));
    expect(await ask(await mine.assertion('mine', {}, header))).toBe(`200 ${fixture.key.jkt}`);
  });

  it('two registered keys without kid: the one that signed is found', async () => {
    const [one, two] = [await testKey(), await testKey('ES384')];
    await fixture.server.admin('POST', 'clients', {
      client_id: 'two-keys',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [one.jwk, two.jwk, other.jwk] },
    });
    for (const key of [one, two, other])
      expect(
        await fixture.outcome({
          authorization: null,
          form: assertionForm(await key.assertion('two-keys')),
        }),
      ).toBe(`200 ${fixture.key.jkt}`);
  });

  it.each(['ES384', 'PS256', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'])(
    'signed by %s, and its key bound',
    async (alg) => {
      const key = alg === 'PS256' ? await anyRsaKey(alg) : await testKey(alg);
      const client_id = `by-${alg}`;
      await fixture.server.admin('POST', 'clients', {
        client_id,
        token_endpoint_auth_method: 'private_key_jwt',
        client_assertion_bound_access_tokens: true,
        jwks: { keys: [key.jwk] },
      });
      expect(
        await fixture.outcome({
          authorization: null,
          dpop: null,
          form: assertionForm(await key.assertion(client_id)),
        }),
      ).toBe(`200 ${key.jkt}`);
    },
  );
});

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'RFC 6749 Appendix A: names that nobody can have, on $name',
  (kind) => {
    let fixture: TokenEndpointFixture;
    beforeAll(async () => {
      fixture = await tokenEndpointFixture({ kind });
    });
    afterAll(async () => fixture.server.stop());

    // PostgreSQL takes no zero octet in a text: the look-up itself would fail.
    it.each(['\0', 'app\0', '\u0001', '\uffff', 'app\n', 'x'.repeat(5000)])(
      '%j: unknown, never a fault of the server',
      async (name) => {
        const escaped = encodeURIComponent(name);
        const outcomes = [
          await fixture.outcome({
            authorization: `Basic ${Buffer.from(`${escaped}:${clientSecret}`).toString('base64')}`,
          }),
          await fixture.outcome({
            authorization: `Basic ${Buffer.from(`app:${escaped}`).toString('base64')}`,
          }),
          await fixture.outcome({
            authorization: null,
            form: assertionForm(
              craft({ alg: 'ES256' }, { iss: name, sub: name, aud: issuer }, fixture.key),
            ),
          }),
          await fixture.outcome({
            authorization: null,
            form: { ...cc, client_id: name, client_secret: clientSecret },
          }),
        ];
        const inForm = name.includes('\0') ? '400 invalid_request' : '401 invalid_client';
        expect(outcomes).toEqual([
          '401 invalid_client',
          '401 invalid_client',
          '401 invalid_client',
          inForm,
        ]);
        const introspection = await fixture.server.post('/introspect', {
          token: 'x',
          client_id: name,
          client_secret: clientSecret,
        });
        expect(`${introspection.status} ${introspection.body.error}`).toBe(inForm);
        expect((await fixture.server.get(`/clients/${escaped.slice(0, 500)}/jwks`)).status).toBe(
          name.includes('\0') ? 400 : 404,
        );
        for (const path of [
          `clients/${escaped.slice(0, 500)}`,
          `clients/${escaped.slice(0, 500)}/tokens`,
        ])
          expect((await fixture.server.admin('DELETE', path)).status).toBeLessThan(500);
        for (const query of [
          'clients?client_name=',
          'clients?cursor=',
          'audit-events?client_id=',
          'audit-events?cursor=',
          'pairings?requester=',
        ])
          expect((await fixture.server.admin('GET', `${query}${escaped}`)).status).toBeLessThan(
            500,
          );
      },
    );
  },
);
