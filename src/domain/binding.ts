import type { PublicJwk } from '../jose/public-key.ts';
import type { Confirmation } from './confirmation.ts';

/** A symmetric key as a JWK (RFC 7518 §6.4). */
export interface SymmetricJwk {
  readonly kty: 'oct';
  readonly alg: 'HS256';
  readonly kid: string;
  readonly k: string;
}

/** The key as the client gets it, in the response only: in the clear over TLS, or encrypted to the key that it registered (protocol reference D8). */
export type ClientConfirmation = { readonly jwk: SymmetricJwk } | { readonly jwe: string };

export type HolderConfirmation =
  | { readonly jkt: string }
  | { readonly 'x5t#S256': string }
  | { readonly jwk: PublicJwk };

/** One entry of `alt_cnf` (protocol reference D3.1): a further holder by name, and one key of its own. */
export interface AltConfirmation {
  readonly client_id: string;
  readonly cnf: HolderConfirmation;
}

/** The form `jwks`: each key with `kid` = its thumbprint and the holder in the private member `client_id` (product decision 5). */
export interface JwkSetConfirmation {
  readonly jwks: { readonly keys: readonly Readonly<Record<string, string>>[] };
}

/** Every key that confirms the token: proof of any one of them is enough. */
export interface Binding {
  readonly cnf: Confirmation | JwkSetConfirmation;
  /** Never empty. */
  readonly alt_cnf?: readonly AltConfirmation[];
  /** `cnf` as the client is told it, where that is not the same. A secret: for the response only. */
  readonly cnfForClient?: ClientConfirmation;
}
