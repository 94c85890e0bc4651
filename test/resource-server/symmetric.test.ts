import {
  decodeJwt,
  exportJWK,
  FlattenedEncrypt,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resourceServer } from '../../packages/resource-server/src/resource-server.ts';
import { randomJti } from '../support/keys.ts';
import { ath, seconds } from '../support/pair.ts';
import { openRecipient, presentedBy, type Recipient } from '../support/resource-server.ts';
import { basic, issuer } from '../support/server.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';
import { describeWithVectors, vectors } from '../support/vectors.ts';

const audience = 'https://symmetric.example.com';
interface Issued {
  readonly token: string;
  readonly key: JWK;
}
let [fixture, rs, keys]: [TokenEndpointFixture, Recipient, JWK[]] = [] as never;

async function decryptionKey(alg: string, crv?: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, {
    extractable: true,
    ...(crv !== undefined && { crv }),
  });
  return { ...(await exportJWK(privateKey)), use: 'enc', kid: `${crv ?? alg}-1` };
}
const publicPart = ({ kty, crv, x, y, n, e, use, kid }: JWK) =>
  JSON.parse(JSON.stringify({ kty, crv, x, y, n, e, use, kid })) as JWK;
const register = async (aud: string, key: JWK, more: object = {}) => {
  const members = {
    ...more,
    audience: aud,
    cnf_methods_supported: ['jwe'],
    symmetric_keys_enabled: true,
    jwks: { keys: [publicPart(key)] },
  };
  expect((await fixture.server.admin('POST', 'resource-servers', members)).status).toBe(201);
};
const issued = async (resource = audience): Promise<Issued> => {
  const form = { grant_type: 'client_credentials', resource };
  const { body } = await fixture.server.post('/token', form, {
    authorization: basic('app', clientSecret),
    dpop: await fixture.key.proof(),
  });
  expect(body.token_type).toBe('PoP');
  return { token: body.access_token as string, key: body.cnf.jwk as JWK };
};
/** The client's proof: a DPoP proof in all but its MAC, its `typ` and the key that it does not carry. Members given as `undefined` are left out. */
const proofBy = async ({ token, key }: Issued, claims: object = {}, header: object = {}) =>
  new SignJWT({
    jti: randomJti(),
    htm: 'GET',
    htu: `${audience}/events`,
    iat: seconds,
    ath: ath(token),
    ...claims,
  })
    .setProtectedHeader({ typ: 'pop+jwt', alg: 'HS256', kid: key.kid as string, ...header })
    .sign(Buffer.from(key.k as string, 'base64url'));
const fields = (token: string, ...proofs: readonly string[]): [string, string][] => [
  ['authorization', `PoP ${token}`],
  ...proofs.map((proof): [string, string] => ['pop', proof]),
];
const present = async (one: Issued, claims?: object, header?: object, at = rs) =>
  at.send(fields(one.token, await proofBy(one, claims, header)));

beforeAll(async () => {
  fixture = await tokenEndpointFixture();
  keys = [
    await decryptionKey('ECDH-ES+A256KW', 'P-256'),
    await decryptionKey('ECDH-ES+A256KW', 'X25519'),
    await decryptionKey('RSA-OAEP-256'),
  ];
  await register(audience, keys[0] as JWK);
  rs = await openRecipient(fixture.server, { audience, decryptionKeys: keys });
});
afterAll(async () => {
  await rs.close();
  await fixture.server.stop();
});

describe('RFC 7800 §3.3: a token with a symmetric key (cnf.jwe)', () => {
  it.each(['Fastify', 'Express'] as const)(
    'the proof by its MAC passes on %s, once',
    async (framework) => {
      const one = await issued();
      const at = await openRecipient(fixture.server, { audience, framework, decryptionKeys: keys });
      const sent = fields(one.token, await proofBy(one));
      const { body } = await at.send(sent);
      expect(JSON.parse(body)).toMatchObject({
        presenter: 'app',
        method: 'jwe',
        thumbprint: expect.stringMatching(/^[\w-]{43}$/),
      });
      expect(body).not.toContain(one.key.k);
      expect([presentedBy(await at.send(sent)), at.reasons]).toEqual([
        '401 invalid_dpop_proof',
        ['proof_replayed'],
      ]);
      await at.close();
    },
  );
  it.each(['P-256', 'X25519', 'RSA-OAEP-256'])(
    'opens what the server encrypted to a key of %s, after a change of keys as well',
    async (name) => {
      const aud = `https://${name.toLowerCase()}.example.com`;
      await register(aud, keys.find(({ kid }) => kid === `${name}-1`) as JWK);
      const at = await openRecipient(fixture.server, {
        audience: aud,
        decryptionKeys: [await decryptionKey('ECDH-ES+A256KW', 'P-256'), ...keys],
      });
      const one = await issued(aud);
      expect([
        presentedBy(await present(one, { htu: `${aud}/events` }, {}, at)),
        at.reasons,
      ]).toEqual(['app by jwe', []]);
      await at.close();
    },
  );

  it.each<[string, object, object, string]>([
    ['for another method', { htm: 'POST' }, {}, 'proof_htm_mismatch'],
    ['for another URI', { htu: `${audience}/admin` }, {}, 'proof_htu_mismatch'],
    [
      'for another resource server',
      { htu: 'https://other.example.com/events' },
      {},
      'proof_htu_mismatch',
    ],
    ['for another token', { ath: ath('x') }, {}, 'proof_ath_mismatch'],
    ['without ath', { ath: undefined }, {}, 'proof_ath_mismatch'],
    ['without jti', { jti: undefined }, {}, 'proof_jti_invalid'],
    ['too old', { iat: seconds - 61 }, {}, 'proof_iat_too_old'],
    ['from the future', { iat: seconds + 31 }, {}, 'proof_iat_in_future'],
    ['of the type of a DPoP proof', {}, { typ: 'dpop+jwt' }, 'proof_typ_mismatch'],
    ['with the kid of another key', {}, { kid: 'another' }, 'proof_kid_mismatch'],
    ['that brings a key along', {}, { jwk: { kty: 'oct', k: 'AA' } }, 'proof_brings_key'],
    ['by another algorithm', {}, { alg: 'HS512' }, 'proof_alg_not_allowed'],
  ])('refuses a proof %s', async (_, claims, header, reason) => {
    const long = { alg: 'HS512' in header ? 'HS512' : 'HS256' };
    const one = await issued();
    const answer = await present(one, claims, { ...long, ...header });
    expect([presentedBy(answer), rs.reasons.at(-1)]).toEqual(['401 invalid_dpop_proof', reason]);
    expect(answer.headers['www-authenticate']).toMatch(
      /PoP error="invalid_dpop_proof", error_description="[^"]+", algs="HS256"/,
    );
  });

  it("refuses a proof by another key: a thief's own, another token's, the client's asymmetric one, none", async () => {
    const [one, other] = [await issued(), await issued()];
    const own = { kty: 'oct', kid: one.key.kid as string, k: randomJti() };
    const claims = {
      jti: randomJti(),
      htm: 'GET',
      htu: `${audience}/events`,
      iat: seconds,
      ath: ath(one.token),
    };
    const [, payload] = (await proofBy(one)).split('.');
    const proofs = [
      await proofBy({ ...one, key: own }),
      await proofBy({ ...one, key: { ...other.key, kid: one.key.kid as string } }),
      await fixture.key.sign(claims, { typ: 'pop+jwt' }),
      await fixture.key.sign(claims, { typ: 'dpop+jwt', jwk: fixture.key.jwk }),
      `${Buffer.from('{"typ":"pop+jwt","alg":"none"}').toString('base64url')}.${payload}.AA`,
      'x.y.z',
    ];
    for (const proof of proofs)
      expect(presentedBy(await rs.send(fields(one.token, proof)))).toBe('401 invalid_dpop_proof');
    expect(rs.reasons.slice(-6)).toEqual([
      'proof_mac_invalid',
      'proof_mac_invalid',
      'proof_alg_not_allowed',
      'proof_alg_not_allowed',
      'proof_alg_not_allowed',
      'proof_malformed',
    ]);
    expect(presentedBy(await rs.send(fields(one.token)))).toBe('401 invalid_dpop_proof');
    expect(
      presentedBy(await rs.send(fields(one.token, await proofBy(one), await proofBy(one)))),
    ).toBe('401 invalid_dpop_proof');
    expect(presentedBy(await present(one))).toBe('app by jwe');
  });

  it('is no bearer token, no DPoP token, and mixes with no other proof', async () => {
    const one = await issued();
    const dpop = await rs.proof(one.token, fixture.key);
    const pop = await proofBy(one);
    const seen: string[] = [];
    for (const sent of [
      [['authorization', `Bearer ${one.token}`]],
      [
        ['authorization', `DPoP ${one.token}`],
        ['dpop', dpop],
      ],
      [
        ['authorization', `DPoP ${one.token}`],
        ['dpop', pop],
      ],
      [
        ['authorization', `Bearer ${one.token}`],
        ['pop', pop],
      ],
      [
        ['authorization', `DPoP ${one.token}`],
        ['dpop', dpop],
        ['pop', pop],
      ],
      [...fields(one.token, pop), ['dpop', dpop]],
    ] as [string, string][][])
      seen.push(presentedBy(await rs.send(sent)));
    expect(seen).toEqual([
      '401 invalid_token',
      '401 invalid_token',
      '401 invalid_dpop_proof',
      '400 invalid_request',
      '400 invalid_request',
      '400 invalid_request',
    ]);
  });

  it('a token of another confirmation method cannot be presented by a MAC', async () => {
    await fixture.server.admin('POST', 'resource-servers', {
      audience: 'https://plain.example.com',
    });
    const form = { grant_type: 'client_credentials', resource: 'https://plain.example.com' };
    const { body } = await fixture.server.post('/token', form, {
      authorization: basic('app', clientSecret),
      dpop: await fixture.key.proof(),
    });
    const at = await openRecipient(fixture.server, {
      audience: 'https://plain.example.com',
      decryptionKeys: keys,
    });
    const one = {
      token: body.access_token as string,
      key: { kty: 'oct', kid: 'x', k: randomJti() },
    };
    expect([presentedBy(await present(one, {}, {}, at)), at.reasons.at(-1)]).toEqual([
      '401 invalid_token',
      'key_mismatch',
    ]);
    await at.close();
  });

  it.each<[string, () => Promise<object>, string]>([
    ['no key at all', async () => ({}), 'token_missing'],
    [
      'another key',
      async () => ({ decryptionKeys: [await decryptionKey('ECDH-ES+A256KW', 'P-256')] }),
      'cnf_key_unusable',
    ],
    [
      'another key under the same kid',
      async () => ({
        decryptionKeys: [
          { ...(await decryptionKey('ECDH-ES+A256KW', 'P-256')), kid: keys[0]?.kid },
        ],
      }),
      'cnf_key_unusable',
    ],
    ['a key of another type', async () => ({ decryptionKeys: [keys[2]] }), 'cnf_key_unusable'],
    [
      'the method left out',
      async () => ({ decryptionKeys: keys, confirmationMethods: ['jkt'] }),
      'token_missing',
    ],
  ])('a resource server with %s refuses', async (_, options, reason) => {
    const at = await openRecipient(fixture.server, { audience, ...(await options()) });
    const answer = await present(await issued(), {}, {}, at);
    expect([answer.status, at.reasons.at(-1)]).toEqual([401, reason]);
    expect(answer.headers['www-authenticate']?.includes('HS256')).toBe(reason !== 'token_missing');
    await at.close();
  });
  it('another resource server that is also a good client of the first cannot use what it received', async () => {
    const other = await openRecipient(fixture.server, {
      audience: 'https://another.example.com',
      decryptionKeys: keys,
    });
    const answer = await present(
      await issued(),
      { htu: 'https://another.example.com/events' },
      {},
      other,
    );
    expect([presentedBy(answer), other.reasons.at(-1)]).toEqual([
      '401 invalid_token',
      'token_aud_mismatch',
    ]);
    await other.close();
  });

  it('RFC 9449 §9: a nonce, where the resource server demands one', async () => {
    const at = await openRecipient(fixture.server, {
      audience,
      decryptionKeys: keys,
      nonce: { secret: new Uint8Array(32).fill(7) },
    });
    const one = await issued();
    const first = await present(one, {}, {}, at);
    expect([presentedBy(first), first.headers['www-authenticate']]).toEqual([
      '401 use_dpop_nonce',
      expect.stringContaining('PoP error="use_dpop_nonce"'),
    ]);
    expect(presentedBy(await present(one, { nonce: first.headers['dpop-nonce'] }, {}, at))).toBe(
      'app by jwe',
    );
    await at.close();
  });

  it('the issuer is asked whether the token is active; the proof counts once here', async () => {
    const account = { client_id: 'asking', client_secret: clientSecret };
    const asking = 'https://asking.example.com';
    await register(asking, keys[0] as JWK, account);
    const introspection = { clientId: 'asking', clientSecret };
    const at = await openRecipient(fixture.server, {
      audience: asking,
      issuer: { issuer, introspection },
      decryptionKeys: keys,
    });
    const one = await issued(asking);
    const sent = fields(one.token, await proofBy(one, { htu: `${asking}/events` }));
    for (const answer of ['app by jwe', '401 invalid_dpop_proof'])
      expect(presentedBy(await at.send(sent))).toBe(answer);
    const authorization = basic('app', clientSecret);
    await fixture.server.post('/revoke', { token: one.token }, { authorization });
    const late = await present(one, { htu: `${asking}/events` }, {}, at);
    expect([presentedBy(late), at.reasons.at(-1)]).toEqual(['401 invalid_token', 'token_inactive']);
    await at.close();
  });

  it('the keys are looked at when the resource server starts', async () => {
    const [ec] = keys as [JWK];
    const bad: JWK[] = [
      publicPart(ec),
      { ...ec, use: 'sig' },
      { ...ec, kty: 'oct' },
      { ...ec, crv: 'P-384' },
      { ...ec, alg: 'RSA-OAEP-256' },
    ];
    for (const key of bad)
      expect(() =>
        resourceServer({ issuer, audience, decryptionKeys: [key as Record<string, unknown>] }),
      ).toThrow('decryptionKeys[0]');
  });
});

describe('RFC 7800 §3.3: a malformed token by a faulty issuer is refused', () => {
  const rows: [string, (valid: string) => object | Promise<object>, string][] = [
    [
      'alt_cnf beside it',
      (jwe) => ({ cnf: { jwe }, alt_cnf: [{ client_id: 'b', cnf: { jkt: fixture.key.jkt } }] }),
      'cnf_malformed',
    ],
    [
      'several audiences',
      (jwe) => ({ cnf: { jwe }, aud: [audience, 'https://other.example.com'] }),
      'cnf_malformed',
    ],
    ['jkt beside it', (jwe) => ({ cnf: { jwe, jkt: fixture.key.jkt } }), 'cnf_malformed'],
    ['a jwe that is no text', () => ({ cnf: { jwe: 7 } }), 'cnf_malformed'],
    ['a jwe of four parts', () => ({ cnf: { jwe: 'a.b.c.d' } }), 'cnf_key_unusable'],
    ['a changed ciphertext', (jwe) => ({ cnf: { jwe: changed(jwe, 3) } }), 'cnf_key_unusable'],
    ['a changed tag', (jwe) => ({ cnf: { jwe: changed(jwe, 4) } }), 'cnf_key_unusable'],
    ['a short tag', (jwe) => ({ cnf: { jwe: jwe.replace(/[^.]+$/, 'AAAA') } }), 'cnf_key_unusable'],
    ['a changed encrypted key', (jwe) => ({ cnf: { jwe: changed(jwe, 1) } }), 'cnf_key_unusable'],
    [
      'direct key agreement',
      async () => ({ cnf: { jwe: await encrypted({ alg: 'ECDH-ES' }) } }),
      'cnf_key_unusable',
    ],
    [
      'another content encryption',
      async () => ({ cnf: { jwe: await encrypted({ enc: 'A128CBC-HS256' }) } }),
      'cnf_key_unusable',
    ],
    [
      'a critical extension',
      async () => ({ cnf: { jwe: await encrypted({ crit: ['x'], x: 1 }) } }),
      'cnf_key_unusable',
    ],
    [
      'a short key',
      async () => ({ cnf: { jwe: await encrypted({}, { kty: 'oct', k: 'c2hvcnQ' }) } }),
      'cnf_key_unusable',
    ],
    [
      'an asymmetric key',
      async () => ({ cnf: { jwe: await encrypted({}, fixture.key.jwk) } }),
      'cnf_key_unusable',
    ],
    [
      'a key for another algorithm',
      async () => ({ cnf: { jwe: await encrypted({}, { ...symmetric, alg: 'HS512' }) } }),
      'cnf_key_unusable',
    ],
    ['no JSON', async () => ({ cnf: { jwe: await encrypted({}, 'x') } }), 'cnf_key_unusable'],
  ];
  const symmetric = { kty: 'oct', kid: 'k', k: Buffer.alloc(32, 1).toString('base64url') };
  const changed = (jwe: string, part: number) => {
    const parts = jwe.split('.');
    const octets = Buffer.from(parts[part] ?? '', 'base64url');
    parts[part] = Buffer.from(octets.map((octet) => octet ^ 1)).toString('base64url');
    return parts.join('.');
  };
  const encrypted = async (header: object, content: unknown = symmetric) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    const key = await importJWK(publicPart(keys[0] as JWK), 'ECDH-ES+A256KW');
    const jwe = await new FlattenedEncrypt(new TextEncoder().encode(text))
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid: 'P-256-1', ...header })
      .encrypt(key, { crit: { x: true } });
    return [jwe.protected, jwe.encrypted_key ?? '', jwe.iv, jwe.ciphertext, jwe.tag].join('.');
  };
  /** An issuer whose key the test has. */
  const forger = async () => {
    const jwk = { ...fixture.key.jwk, kid: 'forger', use: 'sig' };
    const fetch: typeof globalThis.fetch = async () => Response.json({ keys: [jwk] });
    return openRecipient(fixture.server, {
      audience,
      decryptionKeys: keys,
      issuer: { issuer, altCnf: true, jwksUri: `${issuer}/jwks` },
      fetch,
    });
  };
  const token = async (claims: object) =>
    fixture.key.sign(
      {
        iss: issuer,
        sub: 'app',
        client_id: 'app',
        aud: audience,
        jti: randomJti(),
        iat: seconds,
        exp: seconds + 300,
        ...claims,
      },
      { typ: 'at+jwt', kid: 'forger' },
    );
  it('the issuer of these rows is believed where it is right', async () => {
    const at = await forger();
    const one = { token: await token({ cnf: { jwe: await encrypted({}) } }), key: symmetric };
    expect([presentedBy(await present(one, {}, {}, at)), at.reasons]).toEqual(['app by jwe', []]);
    await at.close();
  });
  it.each(rows)('%s', async (_, claims, reason) => {
    const at = await forger();
    const valid = (decodeJwt((await issued()).token)['cnf'] as { jwe: string }).jwe;
    const one = { token: await token(await claims(valid)), key: symmetric };
    expect([presentedBy(await present(one, {}, {}, at)), at.reasons]).toEqual([
      '401 invalid_token',
      [reason],
    ]);
    await at.close();
  });
});

describeWithVectors('alt-cnf.json E and C3', () => {
  interface Vectors {
    readonly time: number;
    readonly resource: string;
    readonly keys: { readonly as_sign: JWK; readonly rs_enc: JWK; readonly client_enc: JWK };
    readonly C3_at_symmetric: { readonly jwt: string };
    readonly E_symmetric: { readonly pop_key: JWK };
  }
  it('the token is presented by the symmetric key of the vectors', async () => {
    const {
      time,
      resource,
      keys: given,
      C3_at_symmetric: token,
      E_symmetric: symmetric,
    } = vectors<Vectors>('alt-cnf.json');
    const { d: _, ...published } = given.as_sign;
    const verify = (key: JWK) =>
      resourceServer({
        issuer: { issuer, jwksUri: `${issuer}/jwks` },
        audience: resource,
        decryptionKeys: [key as Record<string, unknown>],
        clock: () => time * 1000,
        fetch: async () => Response.json({ keys: [published] }),
      });
    const url = `${resource}/events`;
    const one = { token: token.jwt, key: symmetric.pop_key };
    const request = async () => ({
      method: 'GET',
      url,
      headers: fields(token.jwt, await proofBy(one, { htu: url, iat: time })).flat(),
    });
    expect(await verify(given.rs_enc)(await request())).toMatchObject({
      presenter: 'cal-app',
      method: 'jwe',
    });
    await expect(verify(given.client_enc)(await request())).rejects.toMatchObject({
      reason: 'cnf_key_unusable',
    });
  });
});
