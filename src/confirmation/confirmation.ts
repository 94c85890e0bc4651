import type { PublicJwk } from '../jose/public-key.ts';

/** The value of `cnf`: exactly one confirmation method (RFC 7800 §3.1; two members are refused by real verifiers). */
export type Confirmation = { readonly jkt: string; readonly jwk?: never } | { readonly jwk: PublicJwk; readonly jkt?: never };
