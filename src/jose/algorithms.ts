import { constants } from 'node:crypto';

/** A type of public key: `kty`, what distinguishes keys within it, and its size. */
export interface KeyType {
  readonly kty: 'AKP' | 'EC' | 'OKP' | 'RSA';
  /** The required `crv` (EC, OKP) or `alg` (AKP). */
  readonly parameter?: string;
  /** Bytes of a coordinate (EC) or of the whole public key (OKP, AKP). */
  readonly bytes?: number;
}

const p256 = { kty: 'EC', parameter: 'P-256', bytes: 32 } as const;
const p384 = { kty: 'EC', parameter: 'P-384', bytes: 48 } as const;
const ed25519 = { kty: 'OKP', parameter: 'Ed25519', bytes: 32 } as const;
const x25519 = { kty: 'OKP', parameter: 'X25519', bytes: 32 } as const;
const rsa = { kty: 'RSA' } as const;

interface JwsAlgorithm {
  readonly key: KeyType;
  /** The digest for `node:crypto`; null if the scheme itself hashes the message. */
  readonly hash: 'sha256' | 'sha384' | null;
  /** Parameters for `node:crypto` besides the key. */
  readonly options?: { readonly padding: number; readonly saltLength: number };
  /** Bytes of a signature; those of RSA are as long as the modulus. */
  readonly signatureBytes?: number;
  /** Whether this server signs access tokens with it. */
  readonly signsAccessTokens: boolean;
}

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };

// RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2; RFC 9964 with the sizes of FIPS 204 §4.
const algorithms = {
  ES256: { key: p256, hash: 'sha256', signatureBytes: 64, signsAccessTokens: true },
  ES384: { key: p384, hash: 'sha384', signatureBytes: 96, signsAccessTokens: false },
  RS256: { key: rsa, hash: 'sha256', signsAccessTokens: true },
  PS256: { key: rsa, hash: 'sha256', options: pss, signsAccessTokens: true },
  EdDSA: { key: ed25519, hash: null, signatureBytes: 64, signsAccessTokens: true },
  Ed25519: { key: ed25519, hash: null, signatureBytes: 64, signsAccessTokens: true },
  'ML-DSA-44': {
    key: { kty: 'AKP', parameter: 'ML-DSA-44', bytes: 1312 },
    hash: null,
    signatureBytes: 2420,
    signsAccessTokens: false,
  },
  'ML-DSA-65': {
    key: { kty: 'AKP', parameter: 'ML-DSA-65', bytes: 1952 },
    hash: null,
    signatureBytes: 3309,
    signsAccessTokens: true,
  },
  'ML-DSA-87': {
    key: { kty: 'AKP', parameter: 'ML-DSA-87', bytes: 2592 },
    hash: null,
    signatureBytes: 4627,
    signsAccessTokens: false,
  },
} as const satisfies Readonly<Record<string, JwsAlgorithm>>;

/** A JWS algorithm that this server knows; each purpose allows its own subset. */
export type SigningAlgorithm = keyof typeof algorithms;

/** A JWS algorithm that may sign an access token. */
export type AccessTokenSigningAlgorithm = {
  [Alg in SigningAlgorithm]: (typeof algorithms)[Alg]['signsAccessTokens'] extends true
    ? Alg
    : never;
}[SigningAlgorithm];

/** Every JWS algorithm, once: its keys, its signatures and what it may sign. */
export const jwsAlgorithms: Readonly<Record<SigningAlgorithm, JwsAlgorithm>> = algorithms;

/** The names of all JWS algorithms, in the order of the table. */
export const signingAlgorithms = Object.keys(jwsAlgorithms) as readonly SigningAlgorithm[];

/** The JWS algorithms of access tokens, in the order of the table. */
export const accessTokenSigningAlgorithms = signingAlgorithms.filter(
  (alg): alg is AccessTokenSigningAlgorithm => jwsAlgorithms[alg].signsAccessTokens,
);

/** A JWE key management algorithm that this server encrypts with (RFC 7518 §4.3, §4.6). */
export type KeyManagementAlgorithm = 'ECDH-ES+A256KW' | 'RSA-OAEP-256';

/** A key to encrypt to, its only algorithm, and the `key_ops` that it may have (RFC 7517 §4.3). */
interface EncryptionKeyType extends KeyType {
  readonly alg: KeyManagementAlgorithm;
  readonly keyOps: readonly string[];
}

const keyAgreement = { alg: 'ECDH-ES+A256KW', keyOps: ['deriveKey', 'deriveBits'] } as const;

/** Every type of key that a symmetric key is encrypted to. */
export const encryptionKeyTypes: readonly EncryptionKeyType[] = [
  { ...p256, ...keyAgreement },
  { ...x25519, ...keyAgreement },
  { ...rsa, alg: 'RSA-OAEP-256', keyOps: ['encrypt', 'wrapKey'] },
];
