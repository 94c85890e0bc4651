import { Redis } from 'ioredis';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  memoryReplay,
  type ResourceServerOptions,
  redisReplay,
  resourceServer,
  TokenRefused,
} from '../../packages/resource-server/src/resource-server.ts';
import { certificate } from '../support/certificates.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { ath, aware, seconds } from '../support/pair.ts';
import { issuer, startOfTime } from '../support/server.ts';
import { describeWithVectors, vectors } from '../support/vectors.ts';

/** An issuer that signs whatever we like: what a recipient makes of tokens that this server never issues. */
let [signer, appKey, backendKey]: [TestKey, TestKey, TestKey] = [] as never;
beforeAll(async () => {
  [signer, appKey, backendKey] = [await testKey(), await testKey(), await testKey()];
});
const publishing =
  (keys: readonly object[]): typeof fetch =>
  async () =>
    Response.json({ keys });
const serverOf = (
  trusted: object = { altCnf: true, jwks: true },
  more: Partial<ResourceServerOptions> = {},
) =>
  resourceServer({
    issuer: { issuer, jwksUri: `${issuer}/jwks`, ...trusted },
    audience: aware,
    clock: () => startOfTime,
    fetch: publishing([{ ...signer.jwk, kid: 'one' }]),
    ...more,
  });
const signed = async (claims: object, header: object = {}) =>
  signer.sign(
    {
      iss: issuer,
      sub: 'u',
      aud: aware,
      client_id: 'app',
      jti: randomJti(),
      iat: seconds,
      exp: seconds + 300,
      ...claims,
    },
    { typ: 'at+jwt', kid: 'one', ...header },
  );
/** Who presented it, or the reason why not. */
const outcome = async (presented: Promise<{ presenter: string }>): Promise<string> =>
  presented.then(
    ({ presenter }) => presenter,
    (refused: unknown) => {
      if (!(refused instanceof TokenRefused)) throw refused;
      return refused.reason;
    },
  );
const byDpop = async (token: string, key: TestKey, verify = serverOf()) => {
  const dpop = await key.proof({ htm: 'GET', htu: aware, ath: ath(token) });
  return outcome(
    verify({ method: 'GET', url: aware, headers: { authorization: `DPoP ${token}`, dpop } }),
  );
};
const own = () => ({ jkt: appKey.jkt });
const entry = (cnf: object = { jkt: backendKey.jkt }, client_id: unknown = 'backend') => ({
  client_id,
  cnf,
});

describe('a malformed alt_cnf refuses the whole token, also with a proof by the key in cnf', () => {
  it.each<[string, () => object, string]>([
    ['null', () => ({ alt_cnf: null }), 'alt_cnf_malformed'],
    ['an object', () => ({ alt_cnf: entry() }), 'alt_cnf_malformed'],
    ['empty', () => ({ alt_cnf: [] }), 'alt_cnf_malformed'],
    [
      'oversize',
      () => ({
        alt_cnf: Array.from({ length: 4 }, (_, n) => entry({ jkt: `${n}`.repeat(43) }, `c${n}`)),
      }),
      'alt_cnf_malformed',
    ],
    ['an entry that is text', () => ({ alt_cnf: ['backend'] }), 'alt_cnf_malformed'],
    [
      'an entry without holder',
      () => ({ alt_cnf: [{ cnf: { jkt: backendKey.jkt } }] }),
      'alt_cnf_malformed',
    ],
    ['a holder that is no text', () => ({ alt_cnf: [entry(undefined, 7)] }), 'alt_cnf_malformed'],
    ['an entry without key', () => ({ alt_cnf: [{ client_id: 'backend' }] }), 'alt_cnf_malformed'],
    [
      'two keys in one entry',
      () => ({ alt_cnf: [entry({ jkt: backendKey.jkt, jwk: backendKey.jwk })] }),
      'alt_cnf_malformed',
    ],
    ['an unknown method', () => ({ alt_cnf: [entry({ jkt9: 'x' })] }), 'alt_cnf_malformed'],
    ['kid', () => ({ alt_cnf: [entry({ kid: 'be-1' })] }), 'cnf_method_unsupported'],
    [
      'jku',
      () => ({ alt_cnf: [entry({ jku: 'https://evil.example', kid: 'a' })] }),
      'cnf_method_unsupported',
    ],
    ['jwe', () => ({ alt_cnf: [entry({ jwe: 'x' })] }), 'cnf_method_unsupported'],
    [
      'a set of keys',
      () => ({ alt_cnf: [entry({ jwks: { keys: [backendKey.jwk] } })] }),
      'cnf_method_unsupported',
    ],
    [
      'a list of thumbprints',
      () => ({ alt_cnf: [entry({ jkt: [backendKey.jkt] })] }),
      'cnf_method_unsupported',
    ],
    [
      'a symmetric key',
      () => ({ alt_cnf: [entry({ jwk: { kty: 'oct', k: 'AAAA' } })] }),
      'cnf_key_unusable',
    ],
    [
      'a private key',
      () => ({ alt_cnf: [entry({ jwk: { ...backendKey.jwk, d: 'AAAA' } })] }),
      'cnf_key_unusable',
    ],
    [
      'the same key twice',
      () => ({ alt_cnf: [entry(), entry(undefined, 'printer')] }),
      'alt_cnf_repeated',
    ],
    [
      'the same key in two spellings',
      () => ({ alt_cnf: [entry(), entry({ jwk: backendKey.jwk }, 'printer')] }),
      'alt_cnf_repeated',
    ],
    [
      'the same holder twice',
      () => ({ alt_cnf: [entry(), entry({ jkt: 'x'.repeat(43) })] }),
      'alt_cnf_repeated',
    ],
    ['the key of the requester', () => ({ alt_cnf: [entry(own())] }), 'alt_cnf_repeated'],
    [
      'the requester as additional holder',
      () => ({ alt_cnf: [entry(undefined, 'app')] }),
      'alt_cnf_repeated',
    ],
    [
      'for several audiences',
      () => ({ aud: [aware, 'https://b.example'], alt_cnf: [entry()] }),
      'alt_cnf_several_audiences',
    ],
    ['without cnf', () => ({ cnf: undefined, alt_cnf: [entry()] }), 'cnf_missing'],
  ])('%s', async (_, claims, reason) => {
    const token = await signed({ cnf: own(), ...claims() });
    expect([await byDpop(token, appKey), await byDpop(token, backendKey)]).toEqual([
      reason,
      reason,
    ]);
  });
  it('members of an entry that mean nothing here are ignored', async () => {
    const token = await signed({ cnf: own(), alt_cnf: [{ ...entry(), note: 'x' }] });
    expect([await byDpop(token, appKey), await byDpop(token, backendKey)]).toEqual([
      'app',
      'backend',
    ]);
  });
  it('of an issuer that does not define alt_cnf none of this is read: the claim may mean something else there', async () => {
    const unaware = serverOf({});
    for (const altCnf of [null, [], [entry()], 'something else']) {
      const token = await signed({ cnf: own(), alt_cnf: altCnf });
      expect([
        await byDpop(token, appKey, unaware),
        await byDpop(token, backendKey, unaware),
      ]).toEqual(['app', 'key_mismatch']);
    }
  });
  it('with two issuers the switch is of the one that signed', async () => {
    const both = resourceServer({
      issuer: [
        { issuer, jwksUri: 'https://a.example/jwks' },
        { issuer: 'https://b.example', jwksUri: 'https://b.example/jwks', altCnf: true },
      ],
      audience: aware,
      clock: () => startOfTime,
      fetch: publishing([{ ...signer.jwk, kid: 'one' }]),
    });
    const binding = { cnf: own(), alt_cnf: [entry()] };
    expect(await byDpop(await signed(binding), backendKey, both)).toBe('key_mismatch');
    expect(
      await byDpop(await signed({ ...binding, iss: 'https://b.example' }), backendKey, both),
    ).toBe('backend');
  });
});

describe('RFC 7800 §3.1: cnf has exactly one method that is known', () => {
  it.each<[string, () => unknown, string]>([
    ['absent', () => undefined, 'cnf_missing'],
    ['a list', () => [own()], 'cnf_missing'],
    ['empty', () => ({}), 'cnf_malformed'],
    ['jkt and jwk', () => ({ ...own(), jwk: appKey.jwk }), 'cnf_malformed'],
    ['jkt and kid', () => ({ ...own(), kid: 'x' }), 'cnf_malformed'],
    ['jkt and a certificate', () => ({ ...own(), 'x5t#S256': 'x'.repeat(43) }), 'cnf_malformed'],
    ['jkt and a set', () => ({ ...own(), jwks: { keys: [] } }), 'cnf_malformed'],
    ['only what nobody knows', () => ({ jkts: [appKey.jkt] }), 'cnf_malformed'],
    ['a symmetric key', () => ({ jwk: { kty: 'oct', k: 'AAAA' } }), 'cnf_key_unusable'],
    ['a thumbprint that is too short', () => ({ jkt: 'abc' }), 'cnf_method_unsupported'],
    ['jwe', () => ({ jwe: 'a.b.c.d.e' }), 'cnf_method_unsupported'],
    [
      'jku of another host',
      () => ({ jku: 'https://evil.example/jwks', kid: 'one' }),
      'key_mismatch',
    ],
    [
      'jku of another client',
      () => ({ jku: `${issuer}/clients/thief/jwks`, kid: 'one' }),
      'key_mismatch',
    ],
    ['jku without kid', () => ({ jku: `${issuer}/clients/app/jwks` }), 'cnf_malformed'],
    ['a set that is empty', () => ({ jwks: { keys: [] } }), 'cnf_malformed'],
    [
      'a set without kids',
      () => ({ jwks: { keys: [{ ...appKey.jwk, client_id: 'app' }] } }),
      'cnf_malformed',
    ],
    [
      'a set whose kid is no thumbprint',
      () => ({ jwks: { keys: [{ ...appKey.jwk, kid: 'a', client_id: 'app' }] } }),
      'cnf_malformed',
    ],
    [
      'a set without holders',
      () => ({ jwks: { keys: [{ ...appKey.jwk, kid: appKey.jkt }] } }),
      'cnf_malformed',
    ],
    [
      'a set without the requester',
      () => ({ jwks: { keys: [{ ...appKey.jwk, kid: appKey.jkt, client_id: 'b' }] } }),
      'cnf_malformed',
    ],
  ])('%s', async (_, cnf, reason) =>
    expect(await byDpop(await signed({ cnf: cnf() }), appKey)).toBe(reason),
  );
  it('refuses the thumbprint of a key in the place of a certificate, and of a certificate in the place of a key', async () => {
    const device = await certificate();
    const byKey = await signed({ cnf: { 'x5t#S256': appKey.jkt } });
    expect(await byDpop(byKey, appKey)).toBe('key_mismatch');
    const byDevice = async (cnf: object) =>
      outcome(
        serverOf()({
          method: 'GET',
          url: aware,
          headers: { authorization: `Bearer ${await signed({ cnf })}` },
          certificate: device.der,
        }),
      );
    expect(await byDevice({ jkt: device.x5tS256 })).toBe('key_mismatch');
    expect(await byDevice({ 'x5t#S256': device.x5tS256 })).toBe('app');
  });
  it.each<[string, object, object, string]>([
    ['typ JWT', {}, { typ: 'JWT' }, 'token_typ_mismatch'],
    ['no typ', {}, { typ: undefined }, 'token_typ_mismatch'],
    ['typ of an ID token', {}, { typ: 'dpop+id_token' }, 'token_typ_mismatch'],
    ['no kid', {}, { kid: undefined }, 'token_key_unknown'],
    ['another audience', { aud: 'https://b.example' }, {}, 'token_aud_mismatch'],
    ['no audience', { aud: undefined }, {}, 'token_aud_mismatch'],
    ['expired', { exp: seconds - 30 }, {}, 'token_expired'],
    ['no exp', { exp: undefined }, {}, 'token_claim_missing'],
    ['exp as text', { exp: '9999999999' }, {}, 'token_claim_missing'],
    ['issued in the future', { iat: seconds + 31 }, {}, 'token_not_yet_valid'],
    ['not valid yet', { nbf: seconds + 31 }, {}, 'token_not_yet_valid'],
    ['no client_id', { client_id: undefined }, {}, 'token_claim_missing'],
    ['no jti', { jti: undefined }, {}, 'token_claim_missing'],
    ['no sub', { sub: undefined }, {}, 'token_claim_missing'],
  ])('RFC 9068 §4: %s', async (_, claims, header, reason) => {
    expect(await byDpop(await signed({ cnf: own(), ...claims }, header), appKey)).toBe(reason);
  });
  it('typ application/at+jwt and an audience among several are fine (RFC 9068 §2.1, §4)', async () => {
    expect(
      await byDpop(
        await signed(
          { cnf: own(), aud: ['https://b.example', aware] },
          { typ: 'application/at+jwt' },
        ),
        appKey,
      ),
    ).toBe('app');
  });
});

describe('records of used proofs', () => {
  const redis = process.env['TEST_REDIS_URL'];
  const use = (key: string, expiresAt = seconds + 90) => ({
    key,
    expiresAt,
    acceptableFrom: seconds,
  });
  it('in memory: of many at once one is the first; bounded, and room again once records have expired', async () => {
    const clock = { now: startOfTime };
    const replay = memoryReplay({ max: 3, clock: () => clock.now });
    expect(
      (await Promise.all(Array.from({ length: 50 }, async () => replay.markUsed([use('a')]))))
        .flat()
        .filter(Boolean),
    ).toHaveLength(1);
    await replay.markUsed([use('b'), use('c', seconds + 200)]);
    await expect(replay.markUsed([use('d')])).rejects.toThrow('full');
    clock.now += 89_000;
    expect(await replay.markUsed([use('a')]).catch(() => 'full')).toBe('full');
    clock.now += 1000;
    expect(await replay.markUsed([use('d', seconds + 300)])).toEqual([true]);
  });
  it.skipIf(redis === undefined)(
    'in Redis, for two processes: of many at once one is the first',
    async () => {
      const clients = [new Redis(redis ?? ''), new Redis(redis ?? '')];
      const key = randomJti();
      const stores = clients.map((client) =>
        redisReplay(client, { prefix: `test:${key}:`, first: true }),
      );
      const soon = Math.floor(Date.now() / 1000) + 5;
      const marks = await Promise.all(
        Array.from({ length: 50 }, async (_, n) => stores[n % 2]?.markUsed([use(key, soon)])),
      );
      expect(marks.flat().filter(Boolean)).toHaveLength(1);
      for (const client of clients) client.disconnect();
    },
  );
});

describeWithVectors('the values of alt-cnf.json at the resource server', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a file of examples, whose shape is what the tests look at.
  const v = () => vectors<any>('alt-cnf.json');
  const verifyAt = (altCnf: boolean) => {
    const { issuer: as, resource, keys, time } = v();
    const { d: _, ...jwk } = keys.as_sign;
    const trusted = { issuer: as, jwksUri: `${as}/jwks`, altCnf };
    return resourceServer({
      issuer: trusted,
      audience: resource,
      clock: () => (time + 60) * 1000,
      fetch: publishing([jwk]),
    });
  };
  const shown = async (token: string, proof: string, altCnf = true) =>
    outcome(
      verifyAt(altCnf)({
        method: 'GET',
        url: 'https://api.example.net/calendar/events',
        headers: { authorization: `DPoP ${v()[token].jwt}`, dpop: v()[proof].jwt },
      }),
    );
  it('the proofs D0 and D present C2 as cal-app and cal-backend', async () => {
    expect([
      await shown('C2_at_dual', 'D0_dpop_rs_app'),
      await shown('C2_at_dual', 'D_dpop_rs_backend'),
    ]).toEqual(['cal-app', 'cal-backend']);
  });
  it('A.5: an unaware recipient lets cal-app in alone', async () => {
    expect([
      await shown('C2_at_dual', 'D0_dpop_rs_app', false),
      await shown('C2_at_dual', 'D_dpop_rs_backend', false),
    ]).toEqual(['cal-app', 'key_mismatch']);
  });
  it('the proofs for C2 do not fit C1; C3, with a symmetric key, is refused', async () => {
    expect([
      await shown('C1_at_single', 'D0_dpop_rs_app'),
      await shown('C3_at_symmetric', 'D0_dpop_rs_app'),
    ]).toEqual(['proof_ath_mismatch', 'cnf_method_unsupported']);
  });
});
