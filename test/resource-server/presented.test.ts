import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { randomJti } from '../support/keys.ts';
import { ath, aware, openPair, type Pair, seconds, setForm, unaware } from '../support/pair.ts';
import { openRecipient, presentedBy, type Recipient } from '../support/resource-server.ts';
import { issuer, startOfTime } from '../support/server.ts';

let [pair, token]: [Pair, string] = [] as never;
beforeAll(async () => {
  pair = await openPair();
  token = (await pair.ask()).body.access_token as string;
});
afterAll(async () => pair.server.stop());
/** The signature says what these claims and this header are: an issuer that went wrong, or an attacker without its key. */
const forged = async (claims: object, header: object = {}, key = pair.thiefKey) =>
  key.sign(
    {
      iss: issuer,
      sub: 'app',
      aud: aware,
      client_id: 'app',
      jti: randomJti(),
      iat: seconds,
      exp: seconds + 300,
      cnf: { jkt: pair.thiefKey.jkt },
      ...claims,
    },
    { typ: 'at+jwt', kid: 'forged', ...header },
  );

describe.each(['Fastify', 'Express'] as const)('RFC 9449 §7.1 on %s', (framework) => {
  let rs: Recipient;
  beforeAll(async () => {
    rs = await openRecipient(pair.server, { framework, dpopAlgs: ['ES256', 'Ed25519'] });
  });
  afterAll(async () => rs.close());
  const dpopOnly = (error: string, description: string) =>
    `DPoP error="${error}", error_description="${description}", algs="ES256 Ed25519", Bearer`;

  it('rule 6: says which of the two holders presented the one token, and its claims', async () => {
    expect(presentedBy(await rs.present(token, pair.appKey))).toBe('app by jkt');
    const answer = await rs.present(token, pair.backendKey);
    expect(JSON.parse(answer.body)).toMatchObject({
      presenter: 'backend',
      method: 'jkt',
      thumbprint: pair.backendKey.jkt,
      scopes: ['read', 'write'],
      claims: { iss: issuer, client_id: 'app', aud: aware },
    });
  });
  it('a token with one key works as ever', async () => {
    const { body } = await pair.ask({ form: { req_alt_cnf: undefined } });
    expect(presentedBy(await rs.present(body.access_token, pair.appKey))).toBe('app by jkt');
    expect(presentedBy(await rs.present(body.access_token, pair.backendKey))).toBe(
      '401 invalid_token',
    );
  });
  it('RFC 9449 §7.1: without a token, a challenge for each scheme and no error', async () => {
    for (const fields of [
      [],
      [['authorization', 'Basic YTpi']],
      [['authorization', 'DPoPx y']],
    ] as [string, string][][]) {
      const { status, headers, body } = await rs.send(fields);
      expect([status, headers['www-authenticate'], headers['cache-control'], body]).toEqual([
        401,
        'DPoP algs="ES256 Ed25519", Bearer',
        'no-store',
        '{}',
      ]);
    }
  });

  describe.each<
    [
      string,
      (() => Promise<readonly (readonly [string, string])[]>) | (() => Promise<string>),
      string,
      string,
    ]
  >([
    [
      'the stolen token as Bearer',
      async () => [['authorization', `Bearer ${token}`]],
      '401 invalid_token',
      'token_as_bearer',
    ],
    [
      'the stolen token as bearer in small letters',
      async () => [['authorization', `bearer ${token}`]],
      '401 invalid_token',
      'token_as_bearer',
    ],
    [
      'without a proof',
      async () => [['authorization', `DPoP ${token}`]],
      '401 invalid_dpop_proof',
      'proof_header_repeated',
    ],
    [
      'with an empty proof',
      async () => [
        ['authorization', `DPoP ${token}`],
        ['dpop', ''],
      ],
      '401 invalid_dpop_proof',
      'proof_malformed',
    ],
    [
      'a proof beside Bearer',
      async () => [
        ['authorization', `Bearer ${token}`],
        ['dpop', await rs.proof(token, pair.appKey)],
      ],
      '400 invalid_request',
      'proof_of_other_scheme',
    ],
    [
      'two DPoP headers',
      async () => [
        ['authorization', `DPoP ${token}`],
        ['dpop', await rs.proof(token, pair.appKey)],
        ['dpop', await rs.proof(token, pair.appKey)],
      ],
      '401 invalid_dpop_proof',
      'proof_header_repeated',
    ],
    [
      'joined proofs',
      async () => [
        ['authorization', `DPoP ${token}`],
        ['dpop', `${await rs.proof(token, pair.appKey)}, ${await rs.proof(token, pair.appKey)}`],
      ],
      '401 invalid_dpop_proof',
      'proof_malformed',
    ],
    [
      'two Authorization headers',
      async () => [
        ['authorization', `DPoP ${token}`],
        ['authorization', `DPoP ${token}`],
        ['dpop', await rs.proof(token, pair.appKey)],
      ],
      '400 invalid_request',
      'authorization_repeated',
    ],
    [
      'Bearer and DPoP at once',
      async () => [
        ['authorization', `Bearer ${token}`],
        ['authorization', `DPoP ${token}`],
        ['dpop', await rs.proof(token, pair.appKey)],
      ],
      '400 invalid_request',
      'authorization_repeated',
    ],
    [
      'two tokens in one field',
      async () => [['authorization', `DPoP ${token}, DPoP ${token}`]],
      '400 invalid_request',
      'authorization_malformed',
    ],
    [
      'a scheme without a token',
      async () => [['authorization', 'DPoP']],
      '400 invalid_request',
      'authorization_malformed',
    ],
  ] as never)('%s', (_, fields, outcome, reason) => {
    it(`is ${outcome}`, async () => {
      const answer = await rs.send((await fields()) as readonly (readonly [string, string])[]);
      expect([presentedBy(answer), rs.reasons.at(-1)]).toEqual([outcome, reason]);
      expect(answer.headers['www-authenticate']).toContain(`error="${outcome.slice(4)}"`);
    });
  });

  it.each<[string, object, object, string]>([
    ['for another method', { htm: 'POST' }, {}, 'proof_htm_mismatch'],
    ['for another path', { htu: `${aware}/admin` }, {}, 'proof_htu_mismatch'],
    ['for another host', { htu: 'https://evil.example/events' }, {}, 'proof_htu_mismatch'],
    [
      'for the authorization server',
      { htm: 'POST', htu: `${issuer}/token` },
      {},
      'proof_htm_mismatch',
    ],
    ['for another token', { ath: ath('another') }, {}, 'proof_ath_mismatch'],
    ['without ath', { ath: undefined }, {}, 'proof_ath_mismatch'],
    ['without jti', { jti: undefined }, {}, 'proof_jti_invalid'],
    ['too old', { iat: seconds - 61 }, {}, 'proof_iat_too_old'],
    ['from the future', { iat: seconds + 31 }, {}, 'proof_iat_in_future'],
    ['without iat', { iat: undefined }, {}, 'proof_iat_invalid'],
    ['of another type', {}, { typ: 'cnf-proof+jwt' }, 'proof_typ_mismatch'],
    ['with a private key', {}, { jwk: { kty: 'EC', d: 'AAAA' } }, 'proof_malformed'],
    [
      'with the key of the app in the header, signed by another',
      {},
      { jwk: undefined },
      'proof_malformed',
    ],
  ])('401 invalid_dpop_proof: a proof %s', async (_, claims, header, reason) => {
    const answer = await rs.present(token, pair.appKey, claims, header);
    expect([presentedBy(answer), rs.reasons.at(-1)]).toEqual(['401 invalid_dpop_proof', reason]);
  });
  it('a proof by a key that the token does not name, and one that carries the key of the app but was signed by another', async () => {
    const answer = await rs.present(token, pair.thiefKey);
    expect([presentedBy(answer), rs.reasons.at(-1)]).toEqual(['401 invalid_token', 'key_mismatch']);
    expect(answer.headers['www-authenticate']).toBe(
      'DPoP error="invalid_token", error_description="the access token is not bound to the key that was proven in this request", algs="ES256 Ed25519", ' +
        'Bearer error="invalid_token", error_description="the access token is not bound to the key that was proven in this request"',
    );
    expect(presentedBy(await rs.present(token, pair.thiefKey, {}, { jwk: pair.appKey.jwk }))).toBe(
      '401 invalid_dpop_proof',
    );
  });
  it('rule 7: a proof counts once, of ten at the same time too', async () => {
    const fields = [
      ['authorization', `DPoP ${token}`],
      ['dpop', await rs.proof(token, pair.appKey)],
    ] as const;
    const outcomes = (
      await Promise.all(Array.from({ length: 10 }, async () => rs.send(fields)))
    ).map(presentedBy);
    expect(outcomes.filter((outcome) => outcome === 'app by jkt')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === '401 invalid_dpop_proof')).toHaveLength(9);
    expect((await rs.send(fields)).headers['www-authenticate']).toBe(
      dpopOnly('invalid_dpop_proof', 'the proof was used before'),
    );
    // In the last second in which the proof is young enough, the record is still there.
    pair.server.clock.now += 60_000;
    expect(presentedBy(await rs.send(fields))).toBe('401 invalid_dpop_proof');
    pair.server.clock.now = startOfTime;
  });
  it('a refused request does not use the proof up', async () => {
    const dpop = await rs.proof(token, pair.appKey);
    expect(
      presentedBy(
        await rs.send([
          ['authorization', `DPoP ${token.slice(0, -8)}AAAAAAAA`],
          ['dpop', dpop],
        ]),
      ),
    ).toBe('401 invalid_token');
    expect(
      presentedBy(
        await rs.send([
          ['authorization', `DPoP ${token}`],
          ['dpop', dpop],
        ]),
      ),
    ).toBe('app by jkt');
  });
  it('RFC 6750 §3.1: 403 insufficient_scope names the scope', async () => {
    const answer = await rs.send(
      [
        ['authorization', `DPoP ${token}`],
        ['dpop', await rs.proof(token, pair.appKey, { htu: `${aware}/admin` })],
      ],
      '/admin',
    );
    expect([presentedBy(answer), answer.headers['www-authenticate']]).toEqual([
      '403 insufficient_scope',
      expect.stringContaining('scope="admin"'),
    ]);
  });
  it('query, fragment and spelling of the URI do not matter', async () => {
    const fields = async () =>
      [
        ['authorization', `DPoP ${token}`],
        ['dpop', await rs.proof(token, pair.appKey)],
      ] as const;
    expect(presentedBy(await rs.send(await fields(), '/events?from=today'))).toBe('app by jkt');
    expect(
      presentedBy(
        await rs.present(token, pair.appKey, {
          htu: `${aware.toUpperCase().replace('HTTPS', 'https')}:443/%65vents?x#y`,
        }),
      ),
    ).toBe('app by jkt');
  });

  it.each<[string, () => Promise<string>]>([
    ['signed by nobody that the issuer knows', async () => forged({})],
    [
      'unsigned',
      async () =>
        (await forged({}))
          .replace(/^[^.]*/, Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url'))
          .replace(/[^.]*$/, ''),
    ],
    [
      'with a key of its own in the header',
      async () => forged({}, { jwk: pair.thiefKey.jwk, kid: undefined }),
    ],
    [
      'with crit',
      async () =>
        `${Buffer.from('{"alg":"ES256","crit":["x"],"x":1}').toString('base64url')}.e30.AAAA`,
    ],
    ['of another issuer', async () => forged({ iss: 'https://evil.example' })],
    ['without issuer', async () => forged({ iss: undefined })],
    ['altered', async () => `${token.slice(0, -8)}AAAAAAAA`],
    [
      'for another audience',
      async () =>
        (await pair.ask({ form: { resource: unaware, req_alt_cnf: undefined } })).body
          .access_token as string,
    ],
    ['that is a cnf-proof', async () => pair.cnfProof()],
    ['that is a DPoP proof', async () => rs.proof(token, pair.appKey)],
    ['longer than any token', async () => `${'a'.repeat(12_000)}.b.c`],
    ['that is no JWT', async () => 'abc'],
  ])('401 invalid_token: a token %s', async (_, make) => {
    const other = await make();
    expect(presentedBy(await rs.present(other, pair.appKey))).toBe('401 invalid_token');
    expect(presentedBy(await rs.present(other, pair.thiefKey))).toBe('401 invalid_token');
  });
  it('an expired token', async () => {
    pair.server.clock.now += 331_000;
    expect([presentedBy(await rs.present(token, pair.appKey)), rs.reasons.at(-1)]).toEqual([
      '401 invalid_token',
      'token_expired',
    ]);
    pair.server.clock.now = startOfTime;
  });
});

describe('RFC 9449 §9: nonces of the resource server', () => {
  it('asks for one, takes it, renews it, and refuses a proof without one', async () => {
    const rs = await openRecipient(pair.server, {
      nonce: { secret: Buffer.alloc(32, 1), lifetime: 60 },
    });
    const first = await rs.present(token, pair.appKey);
    const nonce = String(first.headers['dpop-nonce']);
    expect([presentedBy(first), nonce]).toEqual([
      '401 use_dpop_nonce',
      expect.stringMatching(/^[A-Za-z0-9_-]{27}$/),
    ]);
    expect(first.headers['www-authenticate']).toMatch(/^DPoP error="use_dpop_nonce", /);
    const second = await rs.present(token, pair.appKey, { nonce });
    expect([presentedBy(second), second.headers['dpop-nonce']]).toEqual(['app by jkt', undefined]);
    pair.server.clock.now += 60_000;
    const third = await rs.present(token, pair.appKey, { nonce });
    expect([presentedBy(third), third.headers['dpop-nonce']]).toEqual([
      'app by jkt',
      expect.not.stringMatching(nonce),
    ]);
    pair.server.clock.now += 60_000;
    expect(presentedBy(await rs.present(token, pair.appKey, { nonce }))).toBe('401 use_dpop_nonce');
    pair.server.clock.now = startOfTime;
    expect(presentedBy(await rs.present(token, pair.appKey, { nonce: 'x'.repeat(27) }))).toBe(
      '401 use_dpop_nonce',
    );
    await rs.close();
  });
});

describe('confirmation methods that the server issues', () => {
  it('accepts cnf.jwks only where the issuer is trusted for it', async () => {
    const shared = (await pair.ask({ form: { resource: setForm } })).body.access_token as string;
    const knowing = await openRecipient(pair.server, {
      audience: setForm,
      issuer: { issuer, jwks: true },
    });
    expect(presentedBy(await knowing.present(shared, pair.appKey))).toBe('app by jwks');
    expect(presentedBy(await knowing.present(shared, pair.backendKey))).toBe('backend by jwks');
    expect(presentedBy(await knowing.present(shared, pair.thiefKey))).toBe('401 invalid_token');
    expect(presentedBy(await knowing.send([['authorization', `Bearer ${shared}`]]))).toBe(
      '401 invalid_token',
    );
    const unknowing = await openRecipient(pair.server, {
      audience: setForm,
      issuer: { issuer, altCnf: true },
    });
    for (const key of [pair.appKey, pair.backendKey])
      expect(presentedBy(await unknowing.present(shared, key))).toBe('401 invalid_token');
    await Promise.all([knowing.close(), unknowing.close()]);
  });
  it('alt_cnf of an issuer that is not trusted to define it is ignored; its own key goes on working', async () => {
    const rs = await openRecipient(pair.server, { issuer });
    expect(presentedBy(await rs.present(token, pair.appKey))).toBe('app by jkt');
    expect([presentedBy(await rs.present(token, pair.backendKey)), rs.reasons.at(-1)]).toEqual([
      '401 invalid_token',
      'key_mismatch',
    ]);
    await rs.close();
  });
  it.each(['jwk', 'kid', 'jku'] as const)(
    'cnf.%s: a DPoP proof by that key, and no other',
    async (method) => {
      const audience = `https://${method}.example.com`;
      await pair.server.admin('POST', 'resource-servers', {
        audience,
        scopes: ['read'],
        cnf_methods_supported: [method],
      });
      const form = {
        grant_type: 'client_credentials',
        resource: audience,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await pair.backendKey.assertion('backend'),
      };
      const { body } = await pair.server.post('/token', form, {
        dpop: await pair.backendKey.proof(),
      });
      const rs = await openRecipient(pair.server, { audience });
      expect(presentedBy(await rs.present(body.access_token, pair.backendKey))).toBe(
        `backend by ${method}`,
      );
      expect(presentedBy(await rs.present(body.access_token, pair.thiefKey))).toBe(
        '401 invalid_token',
      );
      expect(presentedBy(await rs.send([['authorization', `Bearer ${body.access_token}`]]))).toBe(
        '401 invalid_token',
      );
      const other = await openRecipient(pair.server, { audience, confirmationMethods: ['jkt'] });
      expect(presentedBy(await other.present(body.access_token, pair.backendKey))).toBe(
        '401 invalid_token',
      );
      await Promise.all([rs.close(), other.close()]);
    },
  );
});

describe('RFC 8705 §3: the app by DPoP, its server by mutual TLS', () => {
  let [device, rs, shown, mixed]: [
    TestCertificate,
    Recipient,
    { pem: string | undefined },
    string,
  ] = [] as never;
  const asDevice = async (claims: object, header: object) =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'ES256', ...header })
      .sign(device.keys.privateKey);
  beforeAll(async () => {
    device = await certificate({ subject: 'CN=backend' });
    shown = { pem: undefined };
    const audience = 'https://mixed.example.com';
    await pair.server.admin('POST', 'resource-servers', {
      audience,
      scopes: ['read'],
      cnf_methods_supported: ['jkt', 'x5t#S256'],
      alt_cnf_supported: true,
    });
    const jwks = { keys: [{ ...device.jwk, kid: 'tls-1', x5c: [device.der.toString('base64')] }] };
    await pair.server.admin('POST', 'clients', {
      client_id: 'device',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks,
      scope: 'read',
    });
    await pair.server.admin('PATCH', 'clients/app', { alt_cnf_holders: ['backend', 'device'] });
    await pair.server.admin('POST', 'pairings', { requester: 'app', holder: 'device' });
    const claims = {
      iss: 'device',
      aud: issuer,
      client_id: 'app',
      cnf: { jkt: pair.appKey.jkt },
      iat: seconds,
      exp: seconds + 60,
      jti: randomJti(),
    };
    const proof = await asDevice(
      { ...claims, cnf_method: 'x5t#S256' },
      { typ: 'cnf-proof+jwt', kid: 'tls-1' },
    );
    mixed = (await pair.ask({ form: { resource: audience }, reqAltCnf: [{ proof }] })).body
      .access_token as string;
    rs = await openRecipient(pair.server, { audience, certificate: () => shown.pem });
  });
  afterAll(async () => rs.close());
  const bearer = async (pem: string | undefined) => {
    shown.pem = pem;
    const answer = presentedBy(await rs.send([['authorization', `Bearer ${mixed}`]]));
    shown.pem = undefined;
    return answer;
  };
  it('each by its own method', async () => {
    expect(presentedBy(await rs.present(mixed, pair.appKey))).toBe('app by jkt');
    expect(await bearer(device.pem)).toBe('device by x5t#S256');
  });
  it.each<[string, () => Promise<string>]>([
    ['no certificate', async () => bearer(undefined)],
    ['another certificate', async () => bearer((await certificate({ subject: 'CN=backend' })).pem)],
    [
      'a certificate that is none',
      async () => bearer('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'),
    ],
    [
      'the key of the certificate by DPoP',
      async () => {
        const proof = await asDevice(
          {
            jti: randomJti(),
            htm: 'GET',
            htu: `${rs.origin}/events`,
            iat: seconds,
            ath: ath(mixed),
          },
          { typ: 'dpop+jwt', jwk: device.jwk },
        );
        return presentedBy(
          await rs.send([
            ['authorization', `DPoP ${mixed}`],
            ['dpop', proof],
          ]),
        );
      },
    ],
  ])('401 invalid_token: %s', async (_, present) =>
    expect(await present()).toBe('401 invalid_token'),
  );
  it('a thumbprint of the app beside a certificate that is not needed', async () => {
    shown.pem = device.pem;
    expect(presentedBy(await rs.present(mixed, pair.appKey))).toBe('app by jkt');
    shown.pem = undefined;
  });
});
