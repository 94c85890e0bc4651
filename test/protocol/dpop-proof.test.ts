import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyRsaKey, randomJti, testKey } from '../support/keys.ts';
import { basic, testServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import {
  clientSecret,
  craft,
  es256,
  seconds,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';
import { rocaModulus } from '../support/weak-rsa.ts';

const token = 'https://as.example.com/token';

let fixture: TokenEndpointFixture;
beforeAll(async () => {
  fixture = await tokenEndpointFixture();
});
afterAll(async () => fixture.server.stop());

const header = (change: object = {}) => ({
  typ: 'dpop+jwt',
  alg: 'ES256',
  jwk: fixture.key.jwk,
  ...change,
});
const claims = (change: object = {}) => ({
  jti: randomJti(),
  htm: 'POST',
  htu: token,
  iat: seconds,
  ...change,
});
const withHeader = (change: object) => () => craft(header(change), claims(), fixture.key);
const withClaims = (change: object) => () => craft(header(), claims(change), fixture.key);
const withJwk = (change: (jwk: object) => unknown) => () =>
  craft(header({ jwk: change(fixture.key.jwk) }), claims(), fixture.key);

type Row = readonly [string, () => string | readonly string[] | Promise<string>];

const accepted: readonly Row[] = [
  ['an ordinary proof', () => fixture.key.proof()],
  ['a nonce that nobody asked for', withClaims({ nonce: 'x' })],
  ['iat 10 s ago', withClaims({ iat: seconds - 10 })],
  ['iat 60 s ago', withClaims({ iat: seconds - 60 })],
  ['iat 30 s ahead', withClaims({ iat: seconds + 30 })],
  ['iat with a fraction', withClaims({ iat: seconds - 0.5 })],
  ['nbf now and exp in 300 s', withClaims({ nbf: seconds, exp: seconds + 300 })],
  ['an ath, which means nothing here', withClaims({ ath: 'x' })],
  ['unknown claims', withClaims({ client: { nested: [1] } })],
  ['htu with a query', withClaims({ htu: `${token}?foo=bar` })],
  ['htu with a fragment', withClaims({ htu: `${token}#fragment` })],
  ['htu with scheme and host in capitals', withClaims({ htu: 'HTTPS://AS.example.COM/token' })],
  ['htu with dot segments', withClaims({ htu: 'https://as.example.com/x/../token' })],
  ['htu with a letter percent-encoded', withClaims({ htu: 'https://as.example.com/%74oken' })],
  ['htu with the default port', withClaims({ htu: 'https://as.example.com:443/token' })],
  [
    'jwk with use, alg and kid',
    withJwk((jwk) => ({ ...jwk, use: 'sig', alg: 'ES256', kid: 'any' })),
  ],
  [
    'jwk as a browser exports it (Web Cryptography, JsonWebKey)',
    withJwk((jwk) => ({ ...jwk, ext: true, key_ops: ['verify'] })),
  ],
  ['jwk.x5u, which nobody fetches', withJwk((jwk) => ({ ...jwk, x5u: 'https://evil.example/x' }))],
  [
    'jwk with members that mean nothing here (RFC 7517 §4)',
    withJwk((jwk) => ({ ...jwk, x5t: 'x', iat: 1 })),
  ],
  ['jti of 128 characters', withClaims({ jti: randomJti().padEnd(128, 'x') })],
];

describe('RFC 9449 §4.3: accepted', () => {
  it.each(accepted)('%s', async (_, make) => {
    expect(await fixture.outcome({ dpop: await make() })).toBe(`200 ${fixture.key.jkt}`);
  });
});

describe('RFC 9449 §4.3 item 7: the signature is checked with every proof', () => {
  it('the header of a proof that counted, before claims and a signature of another key', async () => {
    const own = await testKey();
    const thief = await testKey();
    expect(await fixture.outcome({ dpop: await own.proof() })).toBe(`200 ${own.jkt}`);
    // The same text of the header as before, and signed by the thief.
    expect(await fixture.outcome({ dpop: await thief.proof({}, { jwk: own.jwk }) })).toBe(
      '400 invalid_dpop_proof',
    );
    expect(await fixture.outcome({ dpop: await own.proof() })).toBe(`200 ${own.jkt}`);
  });
  it('the header of a proof whose signature was wrong is known no better afterwards', async () => {
    const own = await testKey();
    const thief = await testKey();
    for (const _ of [1, 2])
      expect(await fixture.outcome({ dpop: await thief.proof({}, { jwk: own.jwk }) })).toBe(
        '400 invalid_dpop_proof',
      );
  });
});

const refused: readonly Row[] = [
  ['item 1: two header fields', async () => fixture.key.proof()],
  ['item 1: an empty header field', () => ''],
  ['item 1: a field of blanks', () => ' '],
  [
    'item 1: two proofs in one field',
    async () => `${await fixture.key.proof()}, ${await fixture.key.proof()}`,
  ],
  [
    'item 2: a byte order mark before the header (RFC 8259 §8.1)',
    () => craft(`\ufeff${JSON.stringify(header())}`, claims(), fixture.key),
  ],
  [
    'item 2: a byte order mark before the payload',
    () => craft(header(), `\ufeff${JSON.stringify(claims())}`, fixture.key),
  ],
  ['item 2: a scheme before it', async () => `DPoP ${await fixture.key.proof()}`],
  ['item 2: in quotes', async () => `"${await fixture.key.proof()}"`],
  ['item 2: dots only', () => '..'],
  ['item 2: four parts', () => 'a.b.c.d'],
  ['item 2: not a JWT', () => 'invalid'],
  ['item 2: five parts', () => 'a.b.c.d.e'],
  ['item 2: a fourth part', async () => `${await fixture.key.proof()}.extra`],
  ['item 2: header null', () => craft('null', claims(), fixture.key)],
  ['item 2: header an array', () => craft('[]', claims(), fixture.key)],
  ['item 2: payload an array', () => craft(header(), '[]', fixture.key)],
  ['item 2: payload null', () => craft(header(), 'null', fixture.key)],
  ['item 2: payload not JSON', () => craft(header(), '{', fixture.key)],
  [
    'item 2: a member twice in the payload',
    () => craft(header(), JSON.stringify(claims()).replace('{', '{"htm":"GET",'), fixture.key),
  ],
  ['item 2: padding in base64url', async () => (await fixture.key.proof()).replace('.', '=.')],
  ...['jti', 'htm', 'htu', 'iat'].map(
    (claim): Row => [`item 3: no ${claim}`, withClaims({ [claim]: undefined })],
  ),
  ...[1, '', null, {}].map(
    (jti): Row => [`item 3: jti ${JSON.stringify(jti)}`, withClaims({ jti })],
  ),
  ['item 3: jti of 129 characters', withClaims({ jti: 'x'.repeat(129) })],
  ['item 3: jti of 129 characters before trimming', withClaims({ jti: ` ${'x'.repeat(127)} ` })],
  ...[
    'jwt+dpop',
    'JWT',
    'at+jwt',
    'DPOP+JWT',
    'application/dpop+jwt',
    'client-authentication+jwt',
    '',
    true,
    null,
    undefined,
  ].map((typ): Row => [`item 4: typ ${JSON.stringify(typ)}`, withHeader({ typ })]),
  ...['none', 'HS256', 'unsupported', 'es256', 1, true, undefined].map(
    (alg): Row => [`item 5: alg ${JSON.stringify(alg)}`, withHeader({ alg })],
  ),
  [
    'item 5: alg none without signature',
    () => craft(header({ alg: 'none' }), claims(), () => Buffer.alloc(0)),
  ],
  ['item 5: RS256 where it is not offered', async () => (await anyRsaKey('RS256')).proof()],
  [
    'item 5: alg ES256 with an Ed25519 key',
    async () => craft(header({ jwk: (await testKey('Ed25519')).jwk }), claims(), fixture.key),
  ],
  [
    'item 5: alg ES256 with a P-384 key',
    async () => craft(header({ jwk: (await testKey('ES384')).jwk }), claims(), fixture.key),
  ],
  ['item 6: signed by another key', async () => craft(header(), claims(), await testKey())],
  ['item 6: signature of zeros', () => craft(header(), claims(), () => Buffer.alloc(64))],
  ['item 6: signature empty', () => craft(header(), claims(), () => Buffer.alloc(0))],
  [
    'item 6: signature in DER',
    () => craft(header(), claims(), (input) => es256(fixture.key, input, 'der')),
  ],
  ['item 6: an unknown crit', withHeader({ crit: ['x'], x: 1 })],
  ['item 6: b64 false', withHeader({ crit: ['b64'], b64: false })],
  ...[undefined, null, 1, [], {}, 'jwk'].map(
    (jwk): Row => [`jwk ${JSON.stringify(jwk)}`, withHeader({ jwk })],
  ),
  ['item 7: a private member in jwk', withJwk((jwk) => ({ ...jwk, d: 'AAAA' }))],
  [
    'a symmetric jwk',
    () => craft(header({ jwk: { kty: 'oct', k: 'AAAA' } }), claims(), fixture.key),
  ],
  ['jwk.alg differs from alg', withJwk((jwk) => ({ ...jwk, alg: 'ES384' }))],
  ['jwk.use is enc', withJwk((jwk) => ({ ...jwk, use: 'enc' }))],
  ['jwk.key_ops without verify', withJwk((jwk) => ({ ...jwk, key_ops: ['sign'] }))],
  ['jwk.key_ops unknown', withJwk((jwk) => ({ ...jwk, key_ops: ['bogus'] }))],
  ['jwk.x with padding', withJwk((jwk) => ({ ...jwk, x: `${(jwk as { x: string }).x}=` }))],
  [
    'jwk.x with a leading zero octet',
    withJwk((jwk) => ({
      ...jwk,
      x: Buffer.concat([
        Buffer.alloc(1),
        Buffer.from((jwk as { x: string }).x, 'base64url'),
      ]).toString('base64url'),
    })),
  ],
  ['a point that is not on the curve', withJwk((jwk) => ({ ...jwk, y: (jwk as { x: string }).x }))],
  ...['AQ', 'Ag', 'Aw', 'BA', 'AA', 'AAEAAQ'].map(
    (e): Row => [
      `an RSA key with e ${e}`,
      async () =>
        craft(
          header({ alg: 'PS256', jwk: { ...(await anyRsaKey('PS256')).jwk, e } }),
          claims(),
          fixture.key,
        ),
    ],
  ),
  [
    'an RSA key with the fingerprint of ROCA',
    () =>
      craft(
        header({ alg: 'PS256', jwk: { kty: 'RSA', n: rocaModulus(), e: 'AQAB' } }),
        claims(),
        fixture.key,
      ),
  ],
  [
    'a point at infinity',
    withJwk((jwk) => ({
      ...jwk,
      x: Buffer.alloc(32).toString('base64url'),
      y: Buffer.alloc(32).toString('base64url'),
    })),
  ],
  [
    'an Ed25519 point of small order',
    () =>
      craft(
        header({
          alg: 'Ed25519',
          jwk: { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') },
        }),
        claims(),
        () => Buffer.alloc(64),
      ),
  ],
  ['jwk.kid that is no text', withJwk((jwk) => ({ ...jwk, kid: 1 }))],
  [
    'a tiny RSA modulus',
    () =>
      craft(
        header({ alg: 'PS256', jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }),
        claims(),
        fixture.key,
      ),
  ],
  [
    'an Ed25519 key of 3 bytes',
    () =>
      craft(
        header({ alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AQAB' } }),
        claims(),
        fixture.key,
      ),
  ],
  [
    'an X25519 key',
    async () =>
      craft(
        header({
          alg: 'EdDSA',
          jwk: await exportJWK((await generateKeyPair('ECDH-ES', { crv: 'X25519' })).publicKey),
        }),
        claims(),
        fixture.key,
      ),
  ],
  ...['GET', 'PUT', 'post', 1].map(
    (htm): Row => [`item 8: htm ${JSON.stringify(htm)}`, withClaims({ htm })],
  ),
  ...[
    ':::*;',
    '/token',
    'https://u:p@as.example.com/token',
    'http://as.example.com/token',
    'https://as.example.com/Token',
    'https://as.example.com:8443/token',
    'https://as.example.com/token/',
    'https://as.example.com/',
    'https://as.example.com//token',
    'https://as.example.com./token',
    'https://as.example.com/token%2F',
    'https://as.example.com/token;x',
    'https://as.example.com\\\\token',
    'https:as.example.com/token',
    '//as.example.com/token',
    ' https://as.example.com/token',
    'https://as.example.com/token ',
    'https://as.example.com@evil.example/token',
    'https://as.example.com/introspect',
    '',
    null,
    [token],
    'https://as.example.com.evil.example/token',
    1,
  ].map((htu): Row => [`item 9: htu ${JSON.stringify(htu)}`, withClaims({ htu })]),
  ...[
    'invalid',
    null,
    -1,
    1e308,
    seconds - 61,
    seconds - 3600,
    seconds + 31,
    seconds + 3600,
    String(seconds),
  ].map((iat): Row => [`item 11: iat ${JSON.stringify(iat)}`, withClaims({ iat })]),
  ['an exp that is over', withClaims({ exp: seconds })],
  ['an nbf ahead', withClaims({ nbf: seconds + 31 })],
  ['longer than 8192 characters', withClaims({ padding: 'x'.repeat(8192) })],
];

describe('RFC 9449 §4.3: refused', () => {
  it.each(refused)('%s', async (title, make) => {
    const made = await make();
    expect(
      await fixture.outcome({
        dpop: title.startsWith('item 1: two') ? [made as string, made as string] : made,
      }),
    ).toBe('400 invalid_dpop_proof');
  });

  it('no proof at all: bearer tokens do not exist here', async () => {
    expect(await fixture.outcome({ dpop: null })).toBe('400 invalid_request');
  });

  it('a proof larger than the header limit is cut off by HTTP itself (RFC 6585 §5)', async () => {
    const { status, body } = await fixture.send({
      dpop: craft(header(), claims({ jti: 'x'.repeat(100_000) }), fixture.key),
    });
    expect([status, body.includes('access_token')]).toEqual([431, false]);
  });

  it('the twin of its signature, s against n - s, is the same proof (§11.1)', async () => {
    const proof = await fixture.key.proof();
    const signature = Buffer.from(proof.slice(proof.lastIndexOf('.') + 1), 'base64url');
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const twin = (order - BigInt(`0x${signature.subarray(32).toString('hex')}`))
      .toString(16)
      .padStart(64, '0');
    const other = Buffer.concat([signature.subarray(0, 32), Buffer.from(twin, 'hex')]).toString(
      'base64url',
    );
    expect(await fixture.outcome({ dpop: proof })).toBe(`200 ${fixture.key.jkt}`);
    expect(
      await fixture.outcome({ dpop: `${proof.slice(0, proof.lastIndexOf('.'))}.${other}` }),
    ).toBe('400 invalid_dpop_proof');
  });

  it('the same jti in another spelling of the proof is a replay (§11.1)', async () => {
    const jti = randomJti();
    const first = craft(header(), claims({ jti }), fixture.key);
    const second = craft(
      JSON.stringify(header(), null, 1),
      claims({ jti, htu: `${token}?again` }),
      fixture.key,
    );
    expect([
      await fixture.outcome({ dpop: first }),
      await fixture.outcome({ dpop: second }),
    ]).toEqual([`200 ${fixture.key.jkt}`, '400 invalid_dpop_proof']);
  });
});

describe('RFC 9449 §4.3 item 9 with other issuers', () => {
  const opened = new Map<string, Promise<TokenEndpointFixture>>();
  afterAll(async () => {
    for (const other of opened.values()) await (await other).server.stop();
  });
  it.each([
    [
      'an international host in letters',
      'https://xn--bcher-kva.example',
      'https://b\u00fccher.example/token',
      '200',
    ],
    [
      'an international host in ASCII',
      'https://xn--bcher-kva.example',
      'https://XN--BCHER-KVA.example/token',
      '200',
    ],
    ['a path', 'https://as.example.com/tenant', 'https://as.example.com/tenant/token', '200'],
    [
      'the path of another tenant',
      'https://as.example.com/tenant',
      'https://as.example.com/other/token',
      '400 invalid_dpop_proof',
    ],
    [
      'no path where there is one',
      'https://as.example.com/tenant',
      'https://as.example.com/token',
      '400 invalid_dpop_proof',
    ],
    ['a port', 'https://as.example.com:8443', 'https://as.example.com:8443/token', '200'],
    [
      'no port where there is one',
      'https://as.example.com:8443',
      'https://as.example.com/token',
      '400 invalid_dpop_proof',
    ],
  ])('%s', async (_, issuer, htu, expected) => {
    const other = opened.get(issuer) ?? tokenEndpointFixture({ env: { ISSUER: issuer } });
    opened.set(issuer, other);
    const { server, key } = await other;
    const path = `${new URL(issuer).pathname.replace(/\/$/, '')}/token`;
    const headers = { authorization: basic('app', clientSecret), dpop: await key.proof({ htu }) };
    const { status, body } = await server.post(path, { grant_type: 'client_credentials' }, headers);
    expect(`${status} ${body.error ?? ''}`.trim()).toBe(expected);
  });
});

describe('RFC 9449 §5: every algorithm that the metadata offers', () => {
  it.each(['ES256', 'ES384', 'PS256', 'EdDSA', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'])(
    '%s',
    async (alg) => {
      const { body } = await fixture.server.get('/.well-known/oauth-authorization-server');
      expect(body.dpop_signing_alg_values_supported).toContain(alg);
      const key =
        alg === 'PS256' ? await anyRsaKey(alg) : await testKey(alg === 'EdDSA' ? 'Ed25519' : alg);
      const dpop = await key.proof({}, { alg: key.alg });
      expect(await fixture.outcome({ dpop })).toBe(`200 ${key.jkt}`);
    },
  );
});

describe('RFC 9449 §8: nonces', () => {
  let strict: TokenEndpointFixture;
  beforeAll(async () => {
    strict = await tokenEndpointFixture({
      env: { DPOP_NONCE: 'required' },
      clock: { now: seconds * 1000 },
    });
  });
  afterAll(async () => strict.server.stop());
  const nonceOf = async () => String((await strict.send()).headers['dpop-nonce']);

  it('none: use_dpop_nonce, and a nonce of NQCHAR only', async () => {
    expect(await strict.outcome()).toBe('400 use_dpop_nonce');
    expect(await nonceOf()).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/);
  });
  it('handed out: accepted, with no other one while it is the newest', async () => {
    const { status, headers } = await strict.send({
      dpop: await strict.key.proof({ nonce: await nonceOf() }),
    });
    expect([status, headers['dpop-nonce']]).toEqual([200, undefined]);
  });
  it('handed out, by a client whose clock is an hour off: accepted', async () => {
    expect(
      await strict.outcome({
        dpop: await strict.key.proof({ nonce: await nonceOf(), iat: seconds - 3600 }),
      }),
    ).toBe(`200 ${strict.key.jkt}`);
  });
  it('stale, forged, of another type: use_dpop_nonce', async () => {
    const nonce = await nonceOf();
    const outcomes: string[] = [];
    for (const other of [
      `${nonce}x`,
      nonce.slice(1),
      '',
      'x',
      1,
      null,
      `${nonce.slice(0, 12)}${nonce[12] === 'A' ? 'B' : 'A'}${nonce.slice(13)}`,
    ])
      outcomes.push(await strict.outcome({ dpop: await strict.key.proof({ nonce: other }) }));
    strict.server.clock.now += 600_000;
    outcomes.push(
      await strict.outcome({ dpop: await strict.key.proof({ nonce, iat: seconds + 600 }) }),
    );
    strict.server.clock.now -= 600_000;
    expect(new Set(outcomes)).toEqual(new Set(['400 use_dpop_nonce']));
  });
  it('of a server with another secret: use_dpop_nonce', async () => {
    const foreign = await tokenEndpointFixture({
      env: { DPOP_NONCE: 'required' },
      clock: strict.server.clock,
    });
    const nonce = String((await foreign.send()).headers['dpop-nonce']);
    await foreign.server.stop();
    expect(await strict.outcome({ dpop: await strict.key.proof({ nonce }) })).toBe(
      '400 use_dpop_nonce',
    );
  });
  it.each(storeKinds)('of another replica on $name: accepted', async (kind) => {
    const store = await kind.make();
    const [one, other] = [
      await tokenEndpointFixture({ store, env: { DPOP_NONCE: 'required' } }),
      await testServer({ store, env: { DPOP_NONCE: 'required' } }),
    ];
    const nonce = String((await one.send()).headers['dpop-nonce']);
    const headers = {
      authorization: basic('app', clientSecret),
      dpop: await one.key.proof({ nonce }),
    };
    const { status } = await other.post('/token', { grant_type: 'client_credentials' }, headers);
    await other.stop();
    await one.server.stop();
    await store.remove();
    expect(status).toBe(200);
  });
  it('for one client only, where that is registered so', async () => {
    await fixture.server.admin('POST', 'clients', {
      client_id: 'careful',
      client_secret: clientSecret,
      dpop_nonce_required: true,
    });
    const authorization = basic('careful', clientSecret);
    const { status, headers } = await fixture.send({ authorization });
    const dpop = await fixture.key.proof({ nonce: headers['dpop-nonce'] });
    expect([
      status,
      await fixture.outcome({ authorization, dpop }),
      await fixture.outcome(),
    ]).toEqual([400, `200 ${fixture.key.jkt}`, `200 ${fixture.key.jkt}`]);
  });
  it('too old a proof without one: use_dpop_nonce, for only the nonce is missing', async () => {
    expect(await strict.outcome({ dpop: await strict.key.proof({ iat: seconds - 301 }) })).toBe(
      '400 use_dpop_nonce',
    );
  });
  it('of the slot before: accepted, and the newest comes along', async () => {
    const nonce = await nonceOf();
    strict.server.clock.now += 120_000;
    const { status, headers } = await strict.send({
      dpop: await strict.key.proof({ nonce, iat: seconds + 120 }),
    });
    strict.server.clock.now -= 120_000;
    expect([status, typeof headers['dpop-nonce']]).toEqual([200, 'string']);
  });
});
