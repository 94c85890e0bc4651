import type { AccessTokenSigningAlgorithm } from './jose/algorithms.ts';

/** Members of `cnf` (IANA JWT Confirmation Methods) that this server issues. */
export const confirmationMethods = ['jkt', 'jwk'] as const;
export type ConfirmationMethod = (typeof confirmationMethods)[number];

/** What an admin says of a resource server. */
export interface ResourceServerMetadata {
  /** RFC 8707 resource identifier: an absolute URI without fragment; the token's `aud`. */
  readonly audience: string;
  readonly name?: string;
  /** Scope tokens that this resource server knows (RFC 6749 §3.3). */
  readonly scopes: readonly string[];
  /** Confirmation methods that it accepts, in order of preference; never empty. */
  readonly cnf_methods_supported: readonly ConfirmationMethod[];
  /** Seconds. */
  readonly access_token_lifetime: number;
  readonly access_token_signing_alg: AccessTokenSigningAlgorithm;
}

/** A registered resource server (RFC 6749 §1.1) as the protocol sees it. */
export interface ResourceServer extends ResourceServerMetadata {
  readonly id: string;
}
