import type { SingleUse } from '../../../src/domain/single-use.ts';
import {
  accessTokenSigningAlgorithms,
  jwsAlgorithms,
  signingAlgorithms,
} from '../../../src/jose/algorithms.ts';
import { type DecryptionKey, readDecryptionKey } from '../../../src/jose/decryption-key.ts';
import type { ReplayStore } from '../../../src/ports/replay-store.ts';
import { type DpopNonces, dpopNonces } from '../../../src/protocol/possession/dpop-nonce.ts';
import { candidatesOf, type VerifiableMethod } from './candidates.ts';
import { checkClaims } from './claims.ts';
import { readCredentials } from './credentials.ts';
import { holderOf } from './holder.ts';
import type { Presented, ResourceServerOptions, VerifyPresented } from './options.ts';
import { shownKey } from './proof.ts';
import { type Offer, Refused, type Scheme, TokenRefused } from './refusal.ts';
import { memoryReplay } from './replay.ts';
import { signedByIssuer, trustedIssuers } from './trusted-issuers.ts';

export type { SingleUse } from '../../../src/domain/single-use.ts';
export type { ReplayStore } from '../../../src/ports/replay-store.ts';
export type { VerifiableMethod } from './candidates.ts';
export type { AccessTokenClaims } from './claims.ts';
export type { HeaderFields } from './credentials.ts';
export type { CacheLimits } from './issuer-keys.ts';
export type {
  IssuerOptions,
  Presented,
  PresentedRequest,
  ResourceServerOptions,
  VerifyPresented,
} from './options.ts';
export { type RefusalCode, TokenRefused } from './refusal.ts';
export { memoryReplay, type RedisClient, type RedisReplayOptions, redisReplay } from './replay.ts';

const allMethods: readonly VerifiableMethod[] = [
  'jkt',
  'x5t#S256',
  'jwk',
  'kid',
  'jku',
  'jwks',
  'jwe',
];
// RS256 is for old clients only, and ML-DSA needs a newer Node.js than this package.
const defaultDpopAlgs = signingAlgorithms.filter(
  (alg) => alg !== 'RS256' && jwsAlgorithms[alg].key.kty !== 'AKP',
);

/**
 * Makes the check of key-bound access tokens (RFC 9068 §4, RFC 9449 §7, RFC 8705 §3,
 * docs/protocol.md). A request passes only with its own proof by a key that the token names.
 */
export function resourceServer(options: ResourceServerOptions): VerifyPresented {
  const {
    audience,
    clock = Date.now,
    confirmationMethods: methods = allMethods,
    dpopAlgs = defaultDpopAlgs,
  } = options;
  const {
    replay = memoryReplay({ clock }),
    nonce,
    altCnfMax = 3,
    clockTolerance = 30,
    tokenAlgs = accessTokenSigningAlgorithms,
  } = options;
  const issuers = trustedIssuers(options);
  const proof = {
    clock,
    nonces: nonce && noncesOf(nonce, clock),
    algs: dpopAlgs,
    maxAge: options.maxProofAge ?? 60,
    maxFuture: options.maxProofFuture ?? 30,
    decryptionKeys: methods.includes('jwe') ? decryptionKeysOf(options) : [],
  };
  const offers: readonly Offer[] = [
    ...(methods.some((method) => method !== 'x5t#S256' && method !== 'jwe')
      ? [{ scheme: 'DPoP', algs: dpopAlgs } as const]
      : []),
    ...(proof.decryptionKeys.length > 0 ? [{ scheme: 'PoP', algs: ['HS256'] } as const] : []),
    ...(methods.includes('x5t#S256') ? [{ scheme: 'Bearer' } as const] : []),
  ];
  const known: readonly Scheme[] = [
    'DPoP',
    'Bearer',
    ...(proof.decryptionKeys.length > 0 ? ['PoP' as const] : []),
  ];

  const verify = async (
    ...[request, required = {}]: Parameters<VerifyPresented>
  ): Promise<Presented> => {
    const credentials = readCredentials(request.headers, known);
    const { jws, issuer } = await signedByIssuer(credentials.token, issuers, tokenAlgs);
    const now = clock() / 1000;
    const claims = checkClaims(jws.header, jws.payload, {
      issuer: issuer.issuer,
      audience,
      now,
      clockTolerance,
    });
    const trust = {
      altCnf: issuer.altCnf === true,
      jwks: issuer.jwks === true,
      jwe: proof.decryptionKeys.length > 0,
      max: altCnfMax,
    };
    const candidates = candidatesOf(claims, trust).filter((one) => methods.includes(one.method));
    const shown = shownKey(credentials, request, candidates, proof);
    const { presenter, method } = await holderOf(shown, candidates, issuer.keys);
    const scopes = claims.scope?.split(' ').filter((scope) => scope !== '') ?? [];
    checkScope(scopes, required.scope);
    if (shown.use !== undefined) await markUsed(replay, shown.use, credentials.scheme);
    return {
      presenter,
      method,
      thumbprint: shown.thumbprint,
      claims,
      scopes,
      ...(shown.freshNonce !== undefined && { dpopNonce: shown.freshNonce }),
    };
  };

  return async (request, required) => {
    try {
      return await verify(request, required);
    } catch (fault) {
      throw fault instanceof Refused ? new TokenRefused(fault.refusal, offers) : fault;
    }
  };
}

function decryptionKeysOf({
  decryptionKeys = [],
}: ResourceServerOptions): readonly DecryptionKey[] {
  return decryptionKeys.map((jwk, index) => {
    try {
      return readDecryptionKey(jwk);
    } catch (cause) {
      throw new TypeError(
        `decryptionKeys[${index}] is not a private key that symmetric keys can be encrypted to`,
        { cause },
      );
    }
  });
}

function noncesOf(
  { secret, lifetime = 120 }: NonNullable<ResourceServerOptions['nonce']>,
  clock: () => number,
): DpopNonces {
  if (secret.length < 32) throw new TypeError('the nonce secret needs 32 bytes or more');
  const secrets = [{ secret: Buffer.from(secret), from: 0 }];
  return dpopNonces(() => secrets, lifetime, clock);
}

function checkScope(scopes: readonly string[], required: string | undefined): void {
  const missing = required?.split(' ').some((scope) => scope !== '' && !scopes.includes(scope));
  if (missing === true && required !== undefined)
    throw new Refused({
      error: 'insufficient_scope',
      description: 'the access token lacks the required scope',
      reason: 'scope_missing',
      scope: required,
    });
}

async function markUsed(replay: ReplayStore, use: SingleUse, scheme: Scheme): Promise<void> {
  let first: boolean | undefined;
  try {
    [first] = await replay.markUsed([use]);
  } catch (cause) {
    // Fail closed: a proof that is not recorded could be used again.
    throw new Refused({
      error: 'temporarily_unavailable',
      description: 'the proof cannot be recorded now',
      reason: 'replay_unavailable',
      cause,
    });
  }
  if (first !== true)
    throw new Refused({
      error: 'invalid_dpop_proof',
      description: 'the proof was used before',
      reason: 'proof_replayed',
      of: [scheme],
    });
}
