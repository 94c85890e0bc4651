import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  tokenRequired as onExpress,
  resourceMetadata,
} from '../../packages/resource-server/src/express.ts';
import { tokenRequired as onFastify } from '../../packages/resource-server/src/fastify.ts';
import {
  memoryReplay,
  redisReplay,
  resourceServer,
  TokenRefused,
} from '../../packages/resource-server/src/resource-server.ts';
import { proofClaims } from '../../src/protocol/possession/proof-claims.ts';
import { testKey } from '../support/keys.ts';
import { ath } from '../support/pair.ts';

const [issuer, audience] = ['https://as.example.com', 'https://api.example.com'];
const introspection = { clientId: 'api', clientSecret: 'secret' };
/** As a program without types calls it. */
const made = resourceServer as (options?: unknown) => ReturnType<typeof resourceServer>;
const thrownBy = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    return error instanceof TypeError ? error.message : `not a TypeError: ${String(error)}`;
  }
  return 'accepted';
};

describe('resourceServer accepts', () => {
  it.each<[what: string, option: object]>([
    [
      'keys and introspection at a URL with a query',
      {
        issuer: {
          issuer,
          jwksUri: `${issuer}/keys?p=one`,
          introspection: { ...introspection, endpoint: `${issuer}/introspect?p=one` },
        },
      },
    ],
    [
      'plain HTTP to another machine, if told so',
      { issuer: 'http://as.test:8080', allowInsecureRequests: true },
    ],
  ])('%s', (_, option) => {
    expect(thrownBy(() => made({ issuer, audience, ...option }))).toBe('accepted');
  });
  it('an origin behind a proxy that ends TLS elsewhere, or nowhere', () => {
    const verify = made({ issuer, audience });
    expect(thrownBy(() => onFastify(verify, { origin: 'http://api.internal:3000' }))).toBe(
      'accepted',
    );
  });
});

describe('resourceServer refuses wrong options when it is created, and names the option', () => {
  it.each<[what: string, option: object, message: string | RegExp]>([
    [
      'a number of seconds as text',
      { clockTolerance: '30' },
      /^resourceServer: clockTolerance must be a whole number of seconds, 0 or more, not a string$/,
    ],
    ['no number', { clockTolerance: Number.NaN }, /clockTolerance .* not NaN$/],
    ['null in place of a number', { clockTolerance: null }, /clockTolerance .* not null$/],
    [
      'an endless tolerance',
      { clockTolerance: Number.POSITIVE_INFINITY },
      /clockTolerance .* not Infinity$/,
    ],
    ['an age that is no number', { maxProofAge: Number.NaN }, /maxProofAge .* not NaN$/],
    ['a negative age', { maxProofAge: -1 }, /maxProofAge .* not -1$/],
    ['half a second', { maxProofAge: 0.5 }, /maxProofAge .* not 0.5$/],
    ['a future that is no number', { maxProofFuture: Number.NaN }, /maxProofFuture .* not NaN$/],
    ['a count as text', { altCnfMax: '3' }, /altCnfMax .* not a string$/],
    [
      'no audience',
      { audience: undefined },
      /audience must be a non-empty string, not undefined: is the variable set\?$/,
    ],
    [
      'an empty audience',
      { audience: '' },
      /audience must be a non-empty string, not an empty string$/,
    ],
    [
      'several audiences',
      { audience: [audience] },
      /audience must be a non-empty string, not a list$/,
    ],
    [
      'no issuer',
      { issuer: undefined },
      /issuer must be .*, not undefined: is the variable set\?$/,
    ],
    ['a number as issuer', { issuer: 5 }, /issuer must be .*, not 5$/],
    ['no issuers', { issuer: [] }, /issuer must be a non-empty list, not an empty list$/],
    [
      'an issuer without a scheme',
      { issuer: 'localhost:8080' },
      /issuer must be an https URL, or an http URL of this machine.*, not "localhost:8080"$/,
    ],
    ['an issuer by plain HTTP', { issuer: 'http://as.example.com' }, /issuer must be an https URL/],
    [
      'an issuer with a query (RFC 8414 §2)',
      { issuer: `${issuer}?a=b` },
      /issuer must be an https URL/,
    ],
    ['a wrong issuer in a list', { issuer: [issuer, 'as'] }, /issuer\[1\] must be an https URL/],
    [
      'one issuer twice',
      { issuer: [issuer, { issuer, altCnf: true }] },
      /issuer must not repeat https:/,
    ],
    [
      'a switch as text',
      { issuer: { issuer, altCnf: 'false' } },
      /issuer.altCnf must be true or false, not a string$/,
    ],
    [
      'an unknown switch',
      { issuer: { issuer, altcnf: true } },
      /unknown option issuer.altcnf; is issuer.altCnf meant\?$/,
    ],
    [
      'keys by plain HTTP',
      { issuer: { issuer, jwksUri: 'http://as.example.com/jwks' } },
      /issuer.jwksUri must be an https URL/,
    ],
    [
      'introspection without a secret',
      { issuer: { issuer, introspection: { clientId: 'api', clientSecret: undefined } } },
      /issuer.introspection.clientSecret must be a non-empty string, not undefined: is the variable set\?$/,
    ],
    [
      'introspection by plain HTTP',
      {
        issuer: {
          issuer,
          introspection: { ...introspection, endpoint: 'http://as.example.com/introspect' },
        },
      },
      /issuer.introspection.endpoint must be/,
    ],
    [
      'tokens without a signature',
      { tokenAlgs: ['none'] },
      /tokenAlgs\[0\] must be one of ES256, .*, not "none"$/,
    ],
    ['no algorithms of tokens', { tokenAlgs: [] }, /tokenAlgs must be a non-empty list/],
    ['no algorithms of proofs', { dpopAlgs: [] }, /dpopAlgs must be a non-empty list/],
    [
      'an algorithm in place of a list',
      { dpopAlgs: 'ES256' },
      /dpopAlgs must be a non-empty list, not a string$/,
    ],
    ['a MAC for a proof', { dpopAlgs: ['HS256'] }, /dpopAlgs\[0\] must be one of/],
    [
      'a method that is none',
      { confirmationMethods: ['x5t'] },
      /confirmationMethods\[0\] must be one of jkt, x5t#S256, .*, not "x5t"$/,
    ],
    ['no methods', { confirmationMethods: [] }, /confirmationMethods must be a non-empty list/],
    ['no store', { replay: {} }, /replay must be an object with the function markUsed/],
    [
      'a function as store',
      { replay: memoryReplay },
      /replay must be an object with the function markUsed/,
    ],
    [
      'a short nonce secret',
      { nonce: { secret: randomBytes(31) } },
      /nonce.secret must be a Uint8Array of 32 bytes or more/,
    ],
    [
      'what only has a length as nonce secret',
      { nonce: { secret: { length: 32 } } },
      /nonce.secret must be/,
    ],
    [
      'nonces that do not last',
      { nonce: { secret: randomBytes(32), lifetime: 0 } },
      /nonce.lifetime must be a whole number of seconds, 1 or more, not 0$/,
    ],
    [
      'one key in place of a list',
      { decryptionKeys: { kty: 'EC' } },
      /decryptionKeys must be a list/,
    ],
    ['metadata as text', { metadata: '{}' }, /metadata must be an object, not a string$/],
    [
      'metadata of another resource',
      { metadata: { resource: 'https://other.example.com' } },
      /metadata.resource follows from the other options/,
    ],
    ['a cache time that is no number', { cache: { stale: Number.NaN } }, /cache.stale must be/],
    [
      'an unknown cache time',
      { cache: { maxage: 60 } },
      /unknown option cache.maxage; is cache.maxAge meant\?$/,
    ],
    ['a time in place of a clock', { clock: 1_795_000_000 }, /clock must be a function/],
    ['a URL in place of fetch', { fetch: issuer }, /fetch must be a function/],
    ['a list in place of a callback', { onFetchFailure: [] }, /onFetchFailure must be a function/],
    [
      'a misspelt option',
      { clockTolerence: 30 },
      /^resourceServer: unknown option clockTolerence; is clockTolerance meant\?$/,
    ],
    [
      'an option of something else',
      { algorithms: ['RS256'] },
      /^resourceServer: unknown option algorithms$/,
    ],
  ])('%s', (_, option, message) => {
    expect(thrownBy(() => made({ issuer, audience, ...option }))).toMatch(message);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['an issuer alone', issuer],
    ['null', null],
  ])('%s in place of the options', (_, options) => {
    expect(thrownBy(() => made(options))).toMatch(/^resourceServer: the options must be an object/);
  });

  it('says nothing of a secret that is wrong', () => {
    const secret = 'x'.repeat(40);
    const wrong = {
      issuer: { issuer, introspection: { ...introspection, clientSecrets: secret } },
    };
    for (const options of [wrong, { issuer, nonce: { secret } }])
      expect(thrownBy(() => made({ audience, ...options }))).toMatch(/^(?!.*xxx)resourceServer: /);
  });

  it('accepts what the page documents', () => {
    const options = {
      issuer: [
        'http://localhost:8080',
        'http://127.0.0.1:8080',
        'http://[::1]:8080',
        { issuer, introspection },
      ],
      audience: 'urn:example:api',
      replay: redisReplay({
        set: async () => 'OK',
        get: async () => null,
        info: async () => '',
      } as never),
      nonce: { secret: randomBytes(32) },
      clockTolerance: 0,
      cache: { stale: 0 },
      tokenAlgs: ['RS256'],
      metadata: undefined,
    };
    expect(thrownBy(() => made(options))).toBe('accepted');
  });
});

describe('the stores of used proofs', () => {
  const redis = redisReplay as (...args: unknown[]) => unknown;
  const client = { set: async () => 'OK', get: async () => null, info: async () => '' };
  it.each<[string, () => unknown, RegExp]>([
    [
      'no Redis',
      () => redis(),
      /^redisReplay: redis must be a client such as ioredis, .*, not undefined/,
    ],
    ['a URL of Redis', () => redis('redis://localhost'), /^redisReplay: redis must be a client/],
    [
      'a tolerance as text',
      () => redis(client, { clockTolerance: '30' }),
      /^redisReplay: clockTolerance must be/,
    ],
    [
      'an unknown option',
      () => redis(client, { Prefix: 'a:' }),
      /^redisReplay: unknown option Prefix; is prefix meant\?/,
    ],
    [
      'a number that is none',
      () => memoryReplay({ max: Number.NaN }),
      /^memoryReplay: max must be a whole number, 1 or more, not NaN/,
    ],
  ])('refuse %s', (_, make, message) => {
    expect(thrownBy(make)).toMatch(message);
  });
});

describe.each<[string, (...args: unknown[]) => (scope?: unknown) => unknown]>([
  ['Fastify', onFastify as never],
  ['Express', onExpress as never],
])('tokenRequired of %s', (_, tokenRequired) => {
  const verify = resourceServer({ issuer, audience });
  it.each<[string, unknown[], RegExp]>([
    ['no options', [verify], /^tokenRequired: the options must be an object, not undefined/],
    [
      'no origin',
      [verify, {}],
      /^tokenRequired: origin must be an http or https URL.*, not undefined: is the variable set\?$/,
    ],
    [
      'an origin without a scheme',
      [verify, { origin: 'localhost:3000' }],
      /^tokenRequired: origin must be an http or https URL.*, not "localhost:3000"$/,
    ],
    [
      'an origin with a query',
      [verify, { origin: `${audience}?a` }],
      /^tokenRequired: origin must be an http or https URL/,
    ],
    [
      'a certificate in place of a function',
      [verify, { origin: audience, certificate: 'PEM' }],
      /^tokenRequired: certificate must be a function/,
    ],
    [
      'an unknown option',
      [verify, { origin: audience, onRefuse: () => undefined }],
      /^tokenRequired: unknown option onRefuse; is onRefused meant\?$/,
    ],
    [
      'the options of resourceServer',
      [{ issuer, audience }, { origin: audience }],
      /^tokenRequired: verify must be the function that resourceServer returned/,
    ],
  ])('refuses %s', (__, args, message) => {
    expect(thrownBy(() => tokenRequired(...args))).toMatch(message);
  });

  it.each([[['read']], [''], [5], [null]])(
    'refuses the scope %j when the route is made',
    (scope) => {
      const requireToken = tokenRequired(verify, { origin: audience });
      expect(thrownBy(() => requireToken(scope))).toMatch(
        /^requireToken: scope must be a non-empty string/,
      );
      expect(requireToken()).toBeTypeOf('function');
      expect(requireToken('read write')).toBeTypeOf('function');
    },
  );
});

it('resourceMetadata needs what resourceServer returned', () => {
  expect(thrownBy(() => resourceMetadata(undefined as never))).toMatch(/^resourceMetadata: /);
});

describe('a check that is called wrongly lets nobody in', () => {
  const verify = resourceServer({ issuer, audience }) as (...args: unknown[]) => Promise<unknown>;
  const request = { method: 'GET', url: audience, headers: {} };
  it.each([{ scopes: 'read' }, { scope: ['read'] }, { scope: '' }, 'read'])(
    '%j',
    async (required) => {
      await expect(verify(request, required)).rejects.toThrow(TypeError);
    },
  );
});

it('a clock that tells no time lets nobody in: not an expired token, nor an old proof', async () => {
  const [signer, key] = [await testKey(), await testKey()];
  const now = Math.floor(Date.now() / 1000);
  const reason = async (clock: () => number, ends: number) => {
    const verify = resourceServer({
      issuer: { issuer, jwksUri: `${issuer}/jwks` },
      audience,
      clock,
      fetch: async () => Response.json({ keys: [{ ...signer.jwk, kid: 'one' }] }),
    });
    const claims = {
      iss: issuer,
      sub: 'a',
      aud: audience,
      client_id: 'a',
      jti: 'a',
      cnf: { jkt: key.jkt },
    };
    const token = await signer.sign(
      { ...claims, iat: now - 300, exp: ends },
      { typ: 'at+jwt', kid: 'one' },
    );
    const proof = await key.proof({ htm: 'GET', htu: audience, iat: now, ath: ath(token) });
    const headers = { authorization: `DPoP ${token}`, dpop: proof };
    return verify({ method: 'GET', url: audience, headers }).then(
      () => 'accepted',
      (refused: unknown) => (refused instanceof TokenRefused ? refused.reason : refused),
    );
  };
  expect(await reason(Date.now, now + 60)).toBe('accepted');
  expect(await reason(Date.now, now - 60)).toBe('token_expired');
  expect(await reason(() => Number.NaN, now - 60)).toBe('token_expired');
});

describe('RFC 9449 §4.3 item 11: a window that is no number accepts no proof', () => {
  it.each([
    ['maxAge', 'proof_iat_too_old'],
    ['maxFuture', 'proof_iat_in_future'],
  ])('%s', (name, reason) => {
    const nonces = { current: () => '', check: () => ({ valid: false }) as const };
    const options = { clock: Date.now, nonces, endpoint: audience, maxAge: 60, maxFuture: 30 };
    const claims = { jti: 'a', htm: 'GET', htu: audience, iat: Math.floor(Date.now() / 1000) };
    const check = (more: object) => proofClaims({ ...options, ...more })(claims, 'GET', false);
    expect(check({}).jti).toBe('a');
    expect(() => check({ [name]: Number.NaN })).toThrow(expect.objectContaining({ reason }));
  });
});
