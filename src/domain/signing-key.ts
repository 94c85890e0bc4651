import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';

/** A handle on a signing key, which can sign without revealing the key. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: AccessTokenSigningAlgorithm;
  /** A compact JWT of this type with `kid` in its header (RFC 7515 §4.1.4). */
  signJwt(typ: string, claims: object): Promise<string>;
}
