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
  // Ours: a token of the client's platform (RFC 7523 §2.2), by the rules of a trusted issuer.
  'workload_jwt',
  // draft-ietf-oauth-spiffe-client-auth.
  'spiffe_jwt',
  'spiffe_x509',
] as const;
export type TokenEndpointAuthMethod = (typeof tokenEndpointAuthMethods)[number];

/** Forms of `aud` in client assertions that older libraries send; each includes those before it. */
export const clientAssertionAudiences = ['issuer', 'endpoint'] as const;
export type ClientAssertionAudiences = (typeof clientAssertionAudiences)[number];

export const grantTypes = [
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
] as const;
export type GrantType = (typeof grantTypes)[number];

/** A JWK as registered: public members only; the gate in `jose/public-key.ts` has accepted it. */
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

/** Client metadata that the admin gives, in RFC 7591 names; members of ours are marked. */
export interface ClientMetadata extends TlsClientAuthSubject {
  readonly client_name?: string;
  readonly token_endpoint_auth_method: TokenEndpointAuthMethod;
  /** Ours, never shown. True: no method was named, so the secret counts by Basic or in the body. */
  readonly secret_in_either_place?: boolean;
  /**
   * The one algorithm that the client's assertions must have; absent: any that the server takes
   * (RFC 7591, OIDC Registration §2).
   */
  readonly token_endpoint_auth_signing_alg?: SigningAlgorithm;
  /**
   * Ours. What `aud` of its assertions may be besides the issuer as a string: `issuer`, an array of
   * the issuer alone; `endpoint`, also the URI of the endpoint called, in either form.
   */
  readonly client_assertion_audiences?: ClientAssertionAudiences;
  readonly grant_types: readonly GrantType[];
  /** Space-separated scope tokens that the client may ask for (RFC 6749 §3.3). */
  readonly scope?: string;
  /** Keys for signatures and, by `use`: `enc`, for what is encrypted to the client. */
  readonly jwks?: { readonly keys: readonly RegisteredJwk[] };
  readonly jwks_uri?: string;
  /** True: its tokens are bound to the certificate of the mutual TLS connection (RFC 8705 §3.4). */
  readonly tls_client_certificate_bound_access_tokens?: boolean;
  /** True: a request without a DPoP proof is refused (RFC 9449 §5.2). */
  readonly dpop_bound_access_tokens: boolean;
  /** Ours. True: proofs of this client need a nonce (RFC 9449 §8), whatever the default. */
  readonly dpop_nonce_required: boolean;
  /** Ours. True: the key that signed the client's assertion may be the bound key. */
  readonly client_assertion_bound_access_tokens: boolean;
  /** Ours. Audiences of the resource servers that the client may ask for; absent: all. */
  readonly resources?: readonly string[];
  /**
   * Ours. What it may do at this server's own admin API, of which its `resources` must name the
   * audience too; absent: nothing.
   */
  readonly admin_scopes?: readonly string[];
  /** Ours. Clients whose keys this one may add to its tokens (`alt_cnf`); absent: none. */
  readonly alt_cnf_holders?: readonly string[];
  /**
   * Ours. Clients that may add a key of this one to their tokens; absent: those that it gives a
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
  /** Names the secret to the operator; tells nothing of it. */
  readonly id: string;
  /** base64url SHA-256 of the secret. */
  readonly hash: string;
  readonly created_at: number;
  /** Good until then; absent: until it is removed. */
  readonly expires_at?: number;
}

/** A registered client as the protocol sees it. */
export interface ClientRegistration extends ClientMetadata {
  /** A label: once the client is deleted, another registration may bear it. */
  readonly client_id: string;
  /** Random, given by the store, never used again. Whatever refers to this client uses it. */
  readonly registration_id: string;
  /** For which registrations the names in its lists stood when they were listed. */
  readonly listed: ListedClients;
  /**
   * For the `client_secret_*` methods; several may be good at once, so that one can be replaced
   * without a gap. Empty for the other methods.
   */
  readonly clientSecrets: readonly StoredSecret[];
}

/**
 * `client_id` to `registration_id`: a name in a list means the registration that it stood for, and
 * no later one of that name.
 */
export type ListedClients = ReadonlyMap<string, string>;

/** The unique id of a client's registration, and its name. */
export type Identity = Pick<ClientRegistration, 'client_id' | 'registration_id'>;

/**
 * Whether a list of names includes this very registration; `listed` says for which registrations
 * the names stood.
 */
export function names(
  list: readonly string[],
  listed: ListedClients,
  { client_id, registration_id }: Identity,
): boolean {
  return list.includes(client_id) && listed.get(client_id) === registration_id;
}

/** A client that proved who it is. Only `client-authentication/` makes one. */
export interface AuthenticatedClient {
  readonly registration: ClientRegistration;
  /** The key that signed its assertion, when it authenticated by one. */
  readonly assertion?: Proof;
  /** The secret or certificate, when it authenticated by one. */
  readonly credential?: Credential;
  /** The rule, when it authenticated as a workload. */
  readonly byRule?: ByRule;
  /** Whom its grant is for, when that is what named it. */
  readonly workload?: Workload;
}

/** The keys registered by value that are for signatures. */
export function signatureJwks({ jwks }: Pick<ClientMetadata, 'jwks'>): readonly RegisteredJwk[] {
  return jwks?.keys.filter(({ use }) => use !== 'enc') ?? [];
}
