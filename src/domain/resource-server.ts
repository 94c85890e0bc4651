import type { AccessTokenSigningAlgorithm } from '../jose/algorithms.ts';
import type { RegisteredJwk, StoredSecret } from './client-registration.ts';
import type { ConfirmationMethod } from './confirmation-methods.ts';

/** How a token names several keys: the claim `alt_cnf`, or a JWK Set inside `cnf`. */
export const multiKeyForms = ['alt_cnf', 'jwks'] as const;
export type MultiKeyForm = (typeof multiKeyForms)[number];

/** Whether a gateway refuses failing requests, or lets them pass and reports them. */
export const gatewayModes = ['enforce', 'report'] as const;
export type GatewayMode = (typeof gatewayModes)[number];

/** An admin's description of a resource server. */
export interface ResourceServerMetadata {
  /** RFC 8707 resource identifier: an absolute URI without fragment; the token's `aud`. */
  readonly audience: string;
  readonly name?: string;
  /** Scope tokens that this resource server knows (RFC 6749 §3.3). */
  readonly scopes: readonly string[];
  /** Confirmation methods that it accepts, in order of preference; never empty. */
  readonly cnf_methods_supported: readonly ConfirmationMethod[];
  /** True: it knows `alt_cnf`, so its tokens may carry keys of several holders. */
  readonly alt_cnf_supported?: boolean;
  /** `jwks` is opt-in: a resource server that does not know it may see a bearer token. */
  readonly multi_key_form?: MultiKeyForm;
  /** Ours. True: its tokens are on a status list (draft-ietf-oauth-status-list). */
  readonly status_list_enabled?: boolean;
  /** Ours. True: its tokens are active only with a valid proof in the same introspection. */
  readonly introspection_requires_proof?: boolean;
  /** Ours. Origins (RFC 6454 §6.2) at which gateways serve it; without one no gateway can ask. */
  readonly origins?: readonly string[];
  /** Ours. Default `enforce`; `report` lets everything pass and reports what would be refused. */
  readonly gateway_mode?: GatewayMode;
  /** Its public encryption keys; symmetric keys are encrypted to the first (RFC 7800 §3.3). */
  readonly jwks?: { readonly keys: readonly RegisteredJwk[] };
  /** True: its tokens may be confirmed by a symmetric key from this server (method `jwe`). */
  readonly symmetric_keys_enabled?: boolean;
  /** Seconds. */
  readonly access_token_lifetime: number;
  readonly access_token_signing_alg: AccessTokenSigningAlgorithm;
}

/** A registered resource server (RFC 6749 §1.1) as the protocol sees it. */
export interface ResourceServer extends ResourceServerMetadata {
  readonly id: string;
  /** Its identifier for authentication at the introspection endpoint (RFC 7662 §2.1). */
  readonly client_id: string;
  readonly clientSecrets: readonly StoredSecret[];
}
