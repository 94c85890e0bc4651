import type { Confirmation, HolderConfirmation, JwkSetConfirmation } from './confirmation.ts';

/** A symmetric key as a JWK (RFC 7518 §6.4). */
export interface SymmetricJwk {
  readonly kty: 'oct';
  readonly alg: 'HS256';
  readonly kid: string;
  readonly k: string;
}

/** The key in the token response: clear over TLS, or encrypted to the client (RFC 7800 §4). */
export type ClientConfirmation = { readonly jwk: SymmetricJwk } | { readonly jwe: string };

/** An entry of `alt_cnf` (docs/protocol.md): an additional holder by name, and its key. */
export interface AltConfirmation {
  readonly client_id: string;
  readonly cnf: HolderConfirmation;
}

/** The keys that confirm the token; proof of any one is enough. */
export interface Binding {
  readonly cnf: Confirmation | JwkSetConfirmation;
  /** Never empty. */
  readonly alt_cnf?: readonly AltConfirmation[];
  /** Set if the client gets another `cnf` than the token has: a secret, for the response only. */
  readonly cnfForClient?: ClientConfirmation;
}
