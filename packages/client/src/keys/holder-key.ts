import type { CryptoKeyPair } from 'oauth4webapi';
import type { PublicJwk } from './public-jwk.ts';

/** A key that signs for the holder, wherever its private half is. */
export interface HolderKey {
  /** JWS algorithm (RFC 7518, RFC 9864). */
  readonly alg: string;
  readonly publicJwk: PublicJwk;
  /** RFC 7638 thumbprint by SHA-256. */
  readonly thumbprint: string;
  /** The key pair for oauth4webapi; undefined: only `sign` can sign. */
  readonly pair: CryptoKeyPair | undefined;
  /** The JWS signature (RFC 7518 §3) of these bytes. */
  sign(input: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/**
 * Algorithms of the keys that a holder creates, if the runtime supports them; EdDSA is the older
 * name of Ed25519.
 */
export const keyAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'Ed25519',
  'EdDSA',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const;
export type KeyAlgorithm = (typeof keyAlgorithms)[number];

/** The members of `KeyObject` of node:crypto that are used here. */
export interface NodeKeyObject {
  readonly type: string;
  readonly asymmetricKeyType?: string | undefined;
  export(options: { format: 'jwk' }): object;
}

/** A key in other software: an HSM, an agent, a key management service. */
export interface SignFunctionKey {
  /** JWS signature of the bytes; for ECDSA, `r` followed by `s`, not DER (RFC 7518 §3.4). */
  readonly sign: (input: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  readonly publicJwk: object;
  /** Default: that of the public key; PS256 for RSA keys. */
  readonly alg?: string;
}

/**
 * Where the key comes from. Default: created on first use and kept, in browsers in IndexedDB,
 * elsewhere in a file below the user's data folder. `memory`: created now and lost with the
 * process.
 */
export type KeySource =
  | 'memory'
  | { readonly file: string }
  | CryptoKeyPair
  | CryptoKeyPair['privateKey']
  | NodeKeyObject
  | SignFunctionKey;
