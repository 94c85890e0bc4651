import type { CryptoKeyPair } from 'oauth4webapi';
import type { PublicJwk } from './public-jwk.ts';

/** A key that signs for the holder, wherever its private half is. */
export interface HolderKey {
  /** JWS algorithm (RFC 7518, RFC 9864). */
  readonly alg: string;
  readonly publicJwk: PublicJwk;
  /** RFC 7638 thumbprint by SHA-256. */
  readonly thumbprint: string;
  /** What oauth4webapi signs with; undefined: only `sign` can. */
  readonly pair: CryptoKeyPair | undefined;
  /** A JWS signature (RFC 7518 §3) of these bytes. */
  sign(input: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/** Algorithms by which a holder makes keys, where the runtime has them. */
export type KeyAlgorithm =
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'Ed25519'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87';

/** The members of `KeyObject` of node:crypto that are used here. */
export interface NodeKeyObject {
  readonly type: string;
  readonly asymmetricKeyType?: string | undefined;
  export(options: { format: 'jwk' }): object;
}

/** A key that other software has: an HSM, an agent, a key management service. */
export interface SignFunctionKey {
  /**
   * JWS signature of the bytes; ECDSA as `r` and `s` one after the other, not DER (RFC 7518 §3.4).
   */
  readonly sign: (input: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  readonly publicJwk: object;
  /** Default: what the public key says; RSA keys are for PS256. */
  readonly alg?: string;
}

/**
 * Where the key comes from. Left out: made on first use and kept, in browsers in IndexedDB,
 * elsewhere
 * in a file below the user's data folder. `memory`: made now and forgotten with the process.
 */
export type KeySource =
  | 'memory'
  | { readonly file: string }
  | CryptoKeyPair
  | CryptoKeyPair['privateKey']
  | NodeKeyObject
  | SignFunctionKey;
