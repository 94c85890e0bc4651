import type { Clock } from '../../../src/domain/clock.ts';
import type {
  AccessTokenSigningAlgorithm,
  SigningAlgorithm,
} from '../../../src/jose/algorithms.ts';
import type { ReplayStore } from '../../../src/ports/replay-store.ts';
import type { AccessTokenClaims } from './claims.ts';
import type { HeaderFields } from './credentials.ts';
import type { CacheLimits } from './issuer-keys.ts';
import type { VerifiableMethod } from './verifiable-methods.ts';

/** The account of this resource server at the issuer (docs/introspection.md). */
export interface IntrospectionOptions {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Default: `introspection_endpoint` of its metadata (RFC 8414). */
  readonly endpoint?: string;
}

/** A trusted authorization server, and the claims that it is trusted to use. */
export interface IssuerOptions {
  /** Issuer identifier, compared exactly. */
  readonly issuer: string;
  /** The URI of its keys. Default: `jwks_uri` of its metadata (RFC 8414). */
  readonly jwksUri?: string;
  /**
   * Accepts additional holders in `alt_cnf`, for issuers that define it as Holdfast does. Default:
   * false, which ignores the claim.
   */
  readonly altCnf?: boolean;
  /** Accepts several keys in `cnf.jwks`. Default: false, which refuses such tokens. */
  readonly jwks?: boolean;
  /**
   * Asks this issuer about every token and DPoP proof, so that revocation takes effect immediately
   * and a proof used at another resource server or gateway is refused. Default: none.
   */
  readonly introspection?: IntrospectionOptions;
}

/** How a resource server checks requests. Times in seconds. */
export interface ResourceServerOptions {
  /** The trusted issuers; a string trusts an issuer with one key per token. */
  readonly issuer: string | IssuerOptions | readonly (string | IssuerOptions)[];
  /** Allows plain HTTP URLs of issuers on other machines: for tests. Default: false. */
  readonly allowInsecureRequests?: boolean;
  /** The resource identifier that must be in `aud`. */
  readonly audience: string;
  /**
   * Records used proofs, except DPoP proofs of issuers with `introspection`. Default:
   * `memoryReplay()`, for a single process.
   */
  readonly replay?: ReplayStore;
  /** Requires nonces (RFC 9449 §9). `secret`: 32 or more random bytes, equal in all processes. */
  readonly nonce?: { readonly secret: Uint8Array; readonly lifetime?: number };
  /**
   * Private JWKs for symmetric keys (`cnf.jwe`): P-256, X25519 or RSA with the registered `kid`.
   * Keep a replaced key until its tokens expire. Default: none, which refuses such tokens.
   */
  readonly decryptionKeys?: readonly Readonly<Record<string, unknown>>[];
  /** Accepted confirmation methods. Default: all. Omit `x5t#S256` if you do not use mutual TLS. */
  readonly confirmationMethods?: readonly VerifiableMethod[];
  /** Accepted algorithms of DPoP proofs. Default: ES256, ES384, PS256, EdDSA, Ed25519. */
  readonly dpopAlgs?: readonly SigningAlgorithm[];
  /** Accepted algorithms of access tokens. Default: all that Holdfast signs with. */
  readonly tokenAlgs?: readonly AccessTokenSigningAlgorithm[];
  /** The maximum age of a proof, by its `iat`. Default: 60. */
  readonly maxProofAge?: number;
  /** How far in the future `iat` of a proof may be. Default: 30. */
  readonly maxProofFuture?: number;
  /** Tolerance for `exp`, `iat` and `nbf` of access tokens. Default: 30. */
  readonly clockTolerance?: number;
  /** The maximum number of entries of `alt_cnf`. Default: 3. */
  readonly altCnfMax?: number;
  /**
   * Names the protected resource metadata in challenges (RFC 9728 §5.1). Members are added to the
   * document: `scopes_supported`, `resource_name`, … Default: none, and no metadata.
   */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** How long metadata and keys of the issuer are cached. */
  readonly cache?: CacheLimits;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly clock?: Clock;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Called after every failed fetch from an issuer, even if a cached copy is used. */
  readonly onFetchFailure?: (uri: string, failure: Error) => void;
}

/** A request as it reached the resource server. */
export interface PresentedRequest {
  /** HTTP method as received. */
  readonly method: string;
  /** Absolute URI from your public origin and the request target, never from `Host`. */
  readonly url: string;
  readonly headers: HeaderFields;
  /** Client certificate, DER or PEM, from TLS or from a proxy that overwrites its header. */
  readonly certificate?: Uint8Array | string | undefined;
}

/** The presenter of the token, and its key. */
export interface Presented {
  /** `client_id` of the holder whose key was proven, which may be an additional holder. */
  readonly presenter: string;
  /** How the token names that key. */
  readonly method: VerifiableMethod;
  /** RFC 7638 SHA-256 thumbprint of the key; for `x5t#S256` that of the certificate. */
  readonly thumbprint: string;
  readonly claims: AccessTokenClaims;
  /** `scope` as a list. */
  readonly scopes: readonly string[];
  /** A new nonce for the response field `DPoP-Nonce`, if the one used expires soon. */
  readonly dpopNonce?: string;
}

/** Checks token and proof of a request; `scope` is the required scope. Throws TokenRefused. */
export type VerifyPresented = (
  request: PresentedRequest,
  required?: { readonly scope?: string },
) => Promise<Presented>;

/** Protected resource metadata (RFC 9728 §2), and the URL where it must be served (§3.1). */
export interface ResourceMetadata {
  readonly url: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** The check of a resource server, and its metadata if the options have `metadata`. */
export type ResourceServer = VerifyPresented & {
  readonly metadata: ResourceMetadata | undefined;
};
