import type { Clock } from '../../../src/domain/clock.ts';
import type {
  AccessTokenSigningAlgorithm,
  SigningAlgorithm,
} from '../../../src/jose/algorithms.ts';
import type { ReplayStore } from '../../../src/ports/replay-store.ts';
import type { VerifiableMethod } from './candidates.ts';
import type { AccessTokenClaims } from './claims.ts';
import type { HeaderFields } from './credentials.ts';
import type { CacheLimits } from './issuer-keys.ts';

/** An authorization server whose tokens are accepted, and what it is trusted to say. */
export interface IssuerOptions {
  /** Issuer identifier, compared whole. */
  readonly issuer: string;
  /** Where its keys are, when its metadata (RFC 8414) is not to be asked. */
  readonly jwksUri?: string;
  /** True: further keys in the claim `alt_cnf` are believed. Only for an issuer that defines the claim as Holdfast does. Default: false, the claim is ignored. */
  readonly altCnf?: boolean;
  /** True: several keys in `cnf.jwks` are believed. Default: false, such tokens are refused. */
  readonly jwks?: boolean;
}

/** How a resource server checks what is presented to it. Times in seconds. */
export interface ResourceServerOptions {
  /** The trusted issuer, or several; a string trusts it for one key a token. */
  readonly issuer: string | IssuerOptions | readonly (string | IssuerOptions)[];
  /** The resource identifier that must be in `aud`. */
  readonly audience: string;
  /** Used proofs. Default: `memoryReplay()`, right for one process only. */
  readonly replay?: ReplayStore;
  /** Demands a nonce of this resource server in every proof (RFC 9449 §9). `secret`: 32 random octets or more, the same in all processes. */
  readonly nonce?: { readonly secret: Uint8Array; readonly lifetime?: number };
  /**
   * Private JWKs for tokens with a symmetric key (`cnf.jwe`): the one whose public part is registered at the issuer, and older ones for as long as
   * their tokens live. EC P-256, X25519 or RSA, with the `kid` that is registered. Default: none, such tokens are refused.
   */
  readonly decryptionKeys?: readonly Readonly<Record<string, unknown>>[];
  /** Confirmation methods that are accepted. Default: all. Leave out `x5t#S256` where no mutual TLS is spoken: `Bearer` is not offered then. */
  readonly confirmationMethods?: readonly VerifiableMethod[];
  /** Algorithms of DPoP proofs. Default: ES256, ES384, PS256, EdDSA, Ed25519. */
  readonly dpopAlgs?: readonly SigningAlgorithm[];
  /** Algorithms of access tokens. Default: all that Holdfast signs with. */
  readonly tokenAlgs?: readonly AccessTokenSigningAlgorithm[];
  /** Oldest proof that is accepted, by its `iat`. Default: 60. */
  readonly maxProofAge?: number;
  /** How far ahead the clock of the client may be. Default: 30. */
  readonly maxProofFuture?: number;
  /** Tolerance for `exp`, `iat` and `nbf` of access tokens. Default: 30. */
  readonly clockTolerance?: number;
  /** Most entries of `alt_cnf`. Default: 3. */
  readonly altCnfMax?: number;
  /** How long metadata and keys of the issuer are kept. */
  readonly cache?: CacheLimits;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly clock?: Clock;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Invalidated of every failed fetch from an issuer, also when an older copy serves on. */
  readonly onFetchFailure?: (uri: string, failure: Error) => void;
}

/** A request as it reached the resource server. */
export interface PresentedRequest {
  /** HTTP method, as it came. */
  readonly method: string;
  /** Absolute URI by which the client called, from your public origin and the request target; never from `Host`. Query and fragment do not matter. */
  readonly url: string;
  readonly headers: HeaderFields;
  /** The client's certificate, DER or PEM, from your TLS layer, or from a proxy of yours that overwrites the header that it comes in. */
  readonly certificate?: Uint8Array | string | undefined;
}

/** Who presented the token, by which key. */
export interface Presented {
  /** `client_id` of the holder whose key was proven; not always that of the client that the token was issued to. */
  readonly presenter: string;
  /** How the token names that key. */
  readonly method: VerifiableMethod;
  /** RFC 7638 SHA-256 thumbprint of the key; for `x5t#S256` that of the certificate. */
  readonly thumbprint: string;
  readonly claims: AccessTokenClaims;
  /** `scope` as a list. */
  readonly scopes: readonly string[];
  /** A newer nonce for the response field `DPoP-Nonce`, when the one that was used is about to expire. */
  readonly dpopNonce?: string;
}

/** Checks token and proof of a request. Throws TokenRefused. `scope`: scope tokens, separated by spaces, that the token must have. */
export type VerifyPresented = (
  request: PresentedRequest,
  required?: { readonly scope?: string },
) => Promise<Presented>;
