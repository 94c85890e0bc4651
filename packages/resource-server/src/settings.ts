import {
  accessTokenSigningAlgorithms,
  jwsAlgorithms,
  signingAlgorithms,
} from '../../../src/jose/algorithms.ts';
import { type DecryptionKey, readDecryptionKey } from '../../../src/jose/decryption-key.ts';
import { type DpopNonces, dpopNonces } from '../../../src/protocol/possession/dpop-nonce.ts';
import { checkResourceServerOptions } from './check-options.ts';
import type { ResourceServerOptions } from './options.ts';
import type { ProofOptions } from './proof.ts';
import type { Offer, Scheme } from './refusal.ts';
import { memoryReplay } from './replay.ts';
import { resourceMetadata } from './resource-metadata.ts';
import { trustedIssuers } from './trusted-issuers.ts';
import { schemeOf, verifiableMethods } from './verifiable-methods.ts';

// RS256 is for old clients only, and ML-DSA needs a newer Node.js than this package.
const defaultDpopAlgs = signingAlgorithms.filter(
  (alg) => alg !== 'RS256' && jwsAlgorithms[alg].key.kty !== 'AKP',
);

/** The settings for checking requests. */
export type Settings = ReturnType<typeof readSettings>;

/** Reads the options, with a default for each that is absent. Throws TypeError. */
export function readSettings(options: ResourceServerOptions) {
  checkResourceServerOptions(options);
  const {
    audience,
    clock = Date.now,
    confirmationMethods: methods = verifiableMethods,
    dpopAlgs = defaultDpopAlgs,
    replay = memoryReplay({ clock }),
    nonce,
    altCnfMax = 3,
    clockTolerance = 30,
    tokenAlgs = accessTokenSigningAlgorithms,
  } = options;
  const issuers = trustedIssuers(options);
  const proof: ProofOptions = {
    clock,
    nonces: nonce && noncesOf(nonce, clock),
    algs: dpopAlgs,
    maxAge: options.maxProofAge ?? 60,
    maxFuture: options.maxProofFuture ?? 30,
    decryptionKeys: methods.includes('jwe') ? decryptionKeysOf(options) : [],
  };
  const symmetric = proof.decryptionKeys.length > 0;
  const offers: readonly Offer[] = [
    ...(methods.some((method) => schemeOf[method] === 'DPoP')
      ? [{ scheme: 'DPoP', algs: dpopAlgs } as const]
      : []),
    ...(symmetric ? [{ scheme: 'PoP', algs: ['HS256'] } as const] : []),
    ...(methods.includes('x5t#S256') ? [{ scheme: 'Bearer' } as const] : []),
  ];
  const schemes: readonly Scheme[] = ['DPoP', 'Bearer', ...(symmetric ? ['PoP' as const] : [])];
  return {
    audience,
    clock,
    methods,
    replay,
    altCnfMax,
    clockTolerance,
    tokenAlgs,
    issuers,
    proof,
    symmetric,
    offers,
    schemes,
    metadata: resourceMetadata(options, issuers.keys(), offers),
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
  const secrets = [{ secret: Buffer.from(secret), from: 0 }];
  return dpopNonces(() => secrets, lifetime, clock);
}
