import type { SigningAlgorithm } from '../jose/algorithms.ts';
import type { Credential } from './credential-use.ts';
import type { ByRule, Workload } from './platform-token.ts';
import type { Proof } from './proven-key.ts';

/** How a client authenticates at the token endpoint (RFC 7591 §2, RFC 7523 §2.2, RFC 8705 §2). */
export const tokenEndpointAuthMethods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  // Ours: a token of the client's platform (RFC 7523 §2.2), matched by a trusted issuer's rules.
  'workload_jwt',
  // draft-ietf-oauth-spiffe-client-auth.
  'spiffe_jwt',
  'spiffe_x509',
] as const;
export type TokenEndpointAuthMethod = (typeof tokenEndpointAuthMethods)[number];

/** Forms of `aud` in assertions from older libraries; each includes those before it. */
export const clientAssertionAudiences = ['issuer', 'endpoint'] as const;
export type ClientAssertionAudiences = (typeof clientAssertionAudiences)[number];

export const grantTypes = [
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
] as const;
export type GrantType = (typeof grantTypes)[number];

/** A JWK as registered: public members only, accepted by the checks in `jose/public-key.ts`. */
export type RegisteredJwk = Readonly<Record<string, unknown>>;

/** The subject of a `tls_client_auth` client: exactly one member (RFC 8705 §2.1.2). */
export interface TlsClientAuthSubject {
  /** RFC 4514 string. */
  readonly tls_client_auth_subject_dn?: string;
  readonly tls_client_auth_san_dns?: string;
  readonly tls_client_auth_san_uri?: string;
  readonly tls_client_auth_san_ip?: string;
  readonly tls_client_auth_san_email?: string;
}

/** Client metadata from the admin, with RFC 7591 names; our own members are marked "Ours". */
export interface ClientMetadata extends TlsClientAuthSubject {
  readonly client_name?: string;
  readonly token_endpoint_auth_method: TokenEndpointAuthMethod;
  /** Ours, never shown. True: no method was named, so Basic and the body may carry the secret. */
  readonly secret_in_either_place?: boolean;
  /**
   * The only algorithm allowed for the client's assertions; absent: any that the server accepts
   * (RFC 7591, OIDC Registration §2).
   */
  readonly token_endpoint_auth_signing_alg?: SigningAlgorithm;
  /**
   * Ours. Accepted `aud` of its assertions besides the issuer as a string: `issuer`, an array of
   * only the issuer; `endpoint`, also the URI of the called endpoint, in either form.
   */
  readonly client_assertion_audiences?: ClientAssertionAudiences;
  readonly grant_types: readonly GrantType[];
  /** Space-separated scope tokens that the client may request (RFC 6749 §3.3). */
  readonly scope?: string;
  /** Keys for signatures and, with `use`: `enc`, for encryption to the client. */
  readonly jwks?: { readonly keys: readonly RegisteredJwk[] };
  readonly jwks_uri?: string;
  /** True: its tokens are bound to the certificate of the mutual TLS connection (RFC 8705 §3.4). */
  readonly tls_client_certificate_bound_access_tokens?: boolean;
  /** True: a request without a DPoP proof is refused (RFC 9449 §5.2). */
  readonly dpop_bound_access_tokens: boolean;
  /** Ours. True: proofs of this client need a nonce (RFC 9449 §8), regardless of the default. */
  readonly dpop_nonce_required: boolean;
  /** Ours. True: the key that signed the client's assertion may be the bound key. */
  readonly client_assertion_bound_access_tokens: boolean;
  /** Ours. Audiences of the resource servers that the client may request; absent: all. */
  readonly resources?: readonly string[];
  /**
   * Ours. Its scopes at this server's own admin API, whose audience must be in `resources`; absent:
   * none.
   */
  readonly admin_scopes?: readonly string[];
  /** Ours. Clients whose keys this one may add to its tokens (`alt_cnf`); absent: none. */
  readonly alt_cnf_holders?: readonly string[];
  /**
   * Ours. Clients that may add a key of this one to their tokens; absent: those to which it gives a
   * `cnf-proof+jwt`.
   */
  readonly alt_cnf_requesters?: readonly string[];
  /** Ours. True: a registered key of this client that was proven before needs no fresh proof. */
  readonly alt_cnf_registered_key?: boolean;
  /** Ours. True: the client is refused everywhere. */
  readonly disabled: boolean;
}

/** A client secret as stored. Times in seconds since the epoch. */
export interface StoredSecret {
  /** Identifies the secret to the operator and reveals nothing about it. */
  readonly id: string;
  /** base64url SHA-256 of the secret. */
  readonly hash: string;
  readonly created_at: number;
  /** When it expires; absent: it is valid until it is removed. */
  readonly expires_at?: number;
}

/** A registered client as the protocol sees it. */
export interface ClientRegistration extends ClientMetadata {
  /** A label: after the client is deleted, another registration may have it. */
  readonly client_id: string;
  /** Random, chosen by the store, never reused. All references to this client use it. */
  readonly registration_id: string;
  /** The registrations that the names in its lists meant when they were listed. */
  readonly listed: ListedClients;
  /**
   * For the `client_secret_*` methods; several can be valid, so that one can be replaced without a
   * gap. Empty for the other methods.
   */
  readonly clientSecrets: readonly StoredSecret[];
}

/**
 * `client_id` to `registration_id`: a name in a list means the registration it had then, and no
 * later one with that name.
 */
export type ListedClients = ReadonlyMap<string, string>;

/** The unique id of a client's registration, and its name. */
export type Identity = Pick<ClientRegistration, 'client_id' | 'registration_id'>;

/**
 * Whether a list of names includes this registration; `listed` has the registrations that the names
 * meant.
 */
export function names(
  list: readonly string[],
  listed: ListedClients,
  { client_id, registration_id }: Identity,
): boolean {
  return list.includes(client_id) && listed.get(client_id) === registration_id;
}

/** A client that has authenticated. Only `client-authentication/` creates one. */
export interface AuthenticatedClient {
  readonly registration: ClientRegistration;
  /** The key that signed its assertion, if it authenticated by one. */
  readonly assertion?: Proof;
  /** The secret or certificate, if it authenticated by one. */
  readonly credential?: Credential;
  /** The rule, if it authenticated as a workload. */
  readonly byRule?: ByRule;
  /** The subject of its grant, if the grant identified the client. */
  readonly workload?: Workload;
}

/** The signature keys that are registered by value. */
export function signatureJwks({ jwks }: Pick<ClientMetadata, 'jwks'>): readonly RegisteredJwk[] {
  return jwks?.keys.filter(({ use }) => use !== 'enc') ?? [];
}
